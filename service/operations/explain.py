"""What PostgreSQL does for a query: the plan that it settles on, and what running it touches.

The service prepares each statement once, and PostgreSQL soon runs it by one plan for all values, so
that is the plan to look at: EXPLAIN (GENERIC_PLAN). Running the query by that plan counts buffers,
pages of 8 KiB that it touched, which is the same on every machine; milliseconds are not.
Everything is rolled back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import orjson
import psycopg
from psycopg.errors import InsufficientPrivilege
from psycopg.pq import Escaping
from psycopg.pq.abc import PGconn, PGresult

from service.database.queries import Query
from service.database.tree import sql as names
from service.operations.psql import sample
from service.operations.trial import (
    Values,
    ValuesError,
    check_types,
    complete,
    done,
    execute,
    transaction,
)

__all__ = ["EXAMPLE", "Case", "Connections", "Explained", "Explainer", "Measured", "explain_call"]

EXAMPLE: Final = names.explain.example  # the query whose columns are values for parameters
_PAGE: Final = "51"  # the service asks for one row more than the page has
_PREPARED: Final = b"quarry_explained"
_GENERIC: Final = b"SET LOCAL plan_cache_mode = force_generic_plan"
_ANALYZE: Final = "EXPLAIN (ANALYZE, BUFFERS, VERBOSE, FORMAT {}) EXECUTE {}"
_EXPLAIN: Final = "EXPLAIN (GENERIC_PLAN, VERBOSE, FORMAT {}) {}"


_Example = Mapping[str, tuple[int, str | None]]  # name → type (oid) and value


class Connections(NamedTuple):
    """Of the service's role, and of the operator's for queries that the service may not run."""

    service: psycopg.Connection[Any]
    operator: psycopg.Connection[Any] | None = None


class Case(NamedTuple):
    """One way to run a query."""

    title: str
    tenant: str | None
    values: Values


class Measured(NamedTuple):
    """A run: buffers touched, milliseconds, and the plan as text when that was asked for."""

    case: Case
    buffers: int
    ms: float
    text: str = ""


@dataclass(slots=True)
class Explained:
    """A query's plan (PostgreSQL's JSON; None when it cannot be planned) and its runs."""

    query: Query
    role: str = ""  # service or operator
    plan: Mapping[str, Any] | None = None
    text: str = ""
    runs: list[Measured] = field(default_factory=list)
    lacking: list[str] = field(default_factory=list)  # parameters that there is no example of
    failure: str = ""

    @property
    def buffers(self) -> int | None:
        """The most that a run touched."""
        return max((run.buffers for run in self.runs), default=None)


class Explainer:
    """Explains queries one after the other, for these tenants (title → id)."""

    def __init__(
        self,
        connections: Connections,
        queries: Mapping[str, Query],
        tenants: Mapping[str, str],
    ) -> None:
        self._connections = connections
        self._queries = queries
        self._tenants = tenants
        self._examples: dict[str, _Example] = {}

    def explain(
        self,
        query: Query,
        given: Values | None = None,
        *,
        analyze: bool = False,
        texts: bool = False,
    ) -> Explained:
        """Plan a query and, with `analyze`, run it for each tenant, pages twice.

        Parameters get the values that are given, else an example's, else NULL. A query that fails
        is no error but told in `failure`. Raises psycopg.Error when the connection is lost.
        """
        found = Explained(query)
        for role, connection in self._roles(query):
            found = Explained(query, role)
            try:
                self._plan(found, connection)
                if analyze:
                    self._analyze(found, connection, given or {}, texts=texts)
                break
            except InsufficientPrivilege as error:  # perhaps it is a query of operators
                found.failure = _first_line(error)
            except (psycopg.Error, ValuesError) as error:
                if connection.closed:
                    raise
                found.failure = _first_line(error)
                break
        return found

    def _roles(self, query: Query) -> list[tuple[str, psycopg.Connection[Any]]]:
        """By whom to run a query: the service, or whoever may what it may not. What is not held to
        a tenant is run by operators alone."""
        service, operator = self._connections
        if operator is None:
            return [("service", service)]
        of_operators = "tenant_predicate" in query.header.allow
        return [*[("service", service)][of_operators:], ("operator", operator)]

    def _plan(self, found: Explained, connection: psycopg.Connection[Any]) -> None:
        wire = found.query.wire
        first = next(iter(self._tenants.values()), None)
        with transaction(connection, first, read_only=False) as pg:
            found.plan = orjson.loads(_cell(_run(pg, _EXPLAIN.format("JSON", wire))))[0]["Plan"]
            found.text = _lines(_run(pg, _EXPLAIN.format("TEXT", wire)))

    def _analyze(
        self, found: Explained, connection: psycopg.Connection[Any], given: Values, *, texts: bool
    ) -> None:
        query = found.query
        of_tenants = "tenant_id" in query.order
        with _prepared(connection.pgconn, query) as types:
            check_types(connection.pgconn, query, given, types)
            bases = {name: _base(connection.pgconn, oid) for name, oid in types.items()}
            for title, tenant in list(self._tenants.items())[: None if of_tenants else 1]:
                values, found.lacking = _values(query, bases, self._example(tenant), given)
                case: Case | None = Case(title if of_tenants else "all", tenant, values)
                for _ in range(2):
                    if case is not None:
                        found.runs.append(_measure(connection, query, case, texts=texts))
                        case = _next_page(connection, query, case)

    def _example(self, tenant: str) -> _Example:
        """The values that a tenant's rows give; none when there is no such query or row."""
        if tenant not in self._examples:
            query, found = self._queries.get(EXAMPLE), None
            if query is not None:
                with transaction(self._connections.service, tenant, read_only=True) as pg:
                    found = execute(pg, query, {}, tenant)
            self._examples[tenant] = (
                {}
                if found is None or found.ntuples == 0
                else {
                    (found.fname(n) or b"").decode(): (
                        found.ftype(n),
                        None if (value := found.get_value(0, n)) is None else value.decode(),
                    )
                    for n in range(found.nfields)
                }
            )
        return self._examples[tenant]


def explain_call(
    connection: psycopg.Connection[Any], query: Query, values: Values, tenant: str | None
) -> Measured:
    """One call with these values, run and rolled back. Raises ValuesError, psycopg.Error."""
    with _prepared(connection.pgconn, query) as types:
        check_types(connection.pgconn, query, values, types)
        return _measure(connection, query, Case(query.name, tenant, values), texts=True)


@contextmanager
def _prepared(pg: PGconn, query: Query) -> Iterator[dict[str, int]]:
    """The query prepared; the types (oids) of its parameters."""
    done(pg.prepare(_PREPARED, query.wire.encode()))
    try:
        described = done(pg.describe_prepared(_PREPARED))
        yield {name: described.param_type(n) for n, name in enumerate(query.order)}
    finally:
        pg.exec_(b"DEALLOCATE " + _PREPARED)


def _base(pg: PGconn, oid: int) -> int:
    """The type below a domain: rows are described by it, parameters by the domain."""
    done(pg.prepare(b"", b"SELECT $1", [oid]))
    return done(pg.describe_prepared(b"")).ftype(0)


def _values(
    query: Query, types: Mapping[str, int], example: _Example, given: Values
) -> tuple[dict[str, str | None], list[str]]:
    """A value for each parameter, and the names of those for which there is only a made-up id."""
    values = dict(given)
    lacking = []
    for param in query.params:
        known = example.get(param.name)
        if known is None or known[0] != types[param.name]:
            known = example.get(f"{param.name}_{param.type}")
        if param.name in values or param.nullable:
            values.setdefault(param.name, None)
        elif known is not None and known[0] == types[param.name] and known[1] is not None:
            values[param.name] = known[1]
        else:
            values[param.name] = sample(param.type)
            lacking += [param.name] if param.type == "uuid" else []
    if query.kind == "page" and values.get("limit") is None:
        values["limit"] = _PAGE
    return values, lacking


def _measure(
    connection: psycopg.Connection[Any], query: Query, case: Case, *, texts: bool
) -> Measured:
    """A run that is taken back. Raises psycopg.Error, ValuesError.

    The first one warms up: a session that does something for the first time reads the catalog.
    """
    pg = connection.pgconn
    literals = [
        b"NULL" if value is None else bytes(Escaping(pg).escape_literal(value))
        for value in _encoded(query, case)
    ]
    call = (_PREPARED + (b"(" + b", ".join(literals) + b")" if literals else b"")).decode()
    shown = ""
    for kind in ("TEXT", "TEXT", "JSON") if texts else ("JSON", "JSON"):
        with transaction(connection, case.tenant, read_only=not query.writes):
            done(pg.exec_(_GENERIC))
            result = _run(pg, _ANALYZE.format(kind, call))
        if kind == "TEXT":
            shown = _lines(result)
    [told] = orjson.loads(_cell(result))
    return Measured(case, _touched(told["Plan"]), told["Execution Time"], shown)


def _touched(plan: Mapping[str, Any]) -> int:
    """The buffers of a plan, with those of changes in a WITH list that nobody reads: they are made
    after everything else, and the plan's top does not count them."""
    nodes = list(_nodes(plan))
    read = {node["CTE Name"] for node in nodes if "CTE Name" in node}
    apart = [
        node for node in nodes
        if node["Node Type"] == "ModifyTable"
        and (name := node.get("Subplan Name", "")).startswith("CTE ")
        and name.removeprefix("CTE ") not in read
    ]  # fmt: skip
    return sum(node["Shared Hit Blocks"] + node["Shared Read Blocks"] for node in (plan, *apart))


def _nodes(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield node
    for child in node.get("Plans", ()):
        yield from _nodes(child)


def _next_page(connection: psycopg.Connection[Any], query: Query, case: Case) -> Case | None:
    """The case that continues a page, if there is a further one."""
    if query.kind != "page":
        return None
    with transaction(connection, case.tenant, read_only=True) as pg:
        done(pg.exec_(_GENERIC))
        values: Any = _encoded(query, case)  # psycopg's own types know no NULL here
        page = done(pg.exec_prepared(_PREPARED, values))
    cursor = orjson.loads(page.get_value(0, 1) or b"null")
    if cursor is None:
        return None
    after = [param.name for param in query.params if param.name.startswith("after_")]
    values = {**case.values, **dict(zip(after, cursor, strict=True))}
    return Case(f"{case.title}, next page", case.tenant, values)


def _encoded(query: Query, case: Case) -> list[bytes | None]:
    values = complete(query, case.values, case.tenant)
    return [None if value is None else value.encode() for value in values]


def _run(pg: PGconn, text: str) -> PGresult:
    return done(pg.exec_(text.encode()))


def _cell(result: PGresult) -> bytes:
    return result.get_value(0, 0) or b""


def _lines(result: PGresult) -> str:
    return "\n".join((result.get_value(n, 0) or b"").decode() for n in range(result.ntuples))


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
