"""`quarry sql bench`: one statement, measured beside the same through the service."""

from __future__ import annotations

import asyncio
import os
import re
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote, urlencode
from uuid import UUID

import psycopg
import typer

from service.cli import queries as files
from service.cli.database import database_url
from service.cli.output import Json, fail, print_table, say
from service.database.queries import Query
from service.operations.trial import ValuesError, complete

if TYPE_CHECKING:
    from service.operations.query_bench import Load, Measured

NOBODY = "00000000-0000-0000-0000-000000000000"


def bench(
    name: files.Name,
    param: files.Params = None,
    tenant: Annotated[str | None, typer.Option(help="The tenant's name or id.")] = None,
    seconds: Annotated[float, typer.Option(min=1, max=600, help="Of each measurement.")] = 5.0,
    clients: Annotated[int, typer.Option(min=1, max=200, help="How many ask at a time.")] = 8,
    as_json: Json = False,
) -> None:
    """Measure a query: pgbench on the statement alone, the engine, and the endpoint of its answer.

    The same parameters each time, so that everything is in the caches. What writes is rolled back,
    and measured with its BEGIN and ROLLBACK. Everything runs on this machine and shares its CPUs.
    """
    from service.operations.query_bench import Load  # noqa: PLC0415  (nothing else needs it)

    queries = files.load_all()
    query = files.one(name, queries)
    dsn = database_url()
    asked = files.values(query, param)
    try:
        complete(query, asked, tenant)
        with psycopg.connect(dsn, autocommit=True) as connection:
            if tenant is not None:
                tenant = files.tenant_id(connection, queries, tenant)
    except (ValuesError, psycopg.Error) as error:
        fail(str(error).strip())
    values = {name: asked.get(name) for name in query.order}
    if "tenant_id" in values:
        values["tenant_id"] = tenant
    if query.kind == "page":  # one more than the page has, as the service asks
        values["limit"] = str(int(values["limit"] or 50) + 1)
    rows = _run(query, values, tenant, Load(clients, seconds), dsn)
    columns = ("way", "calls", "per_second", "p50_ms", "p99_ms", "cpu_us")
    print_table(columns, [row._asdict() for row in rows], as_json)


def _run(
    query: Query, values: dict[str, str | None], tenant: str | None, load: Load, dsn: str
) -> list[Measured]:
    from service.database.errors import Failure  # noqa: PLC0415  (nothing else needs these)
    from service.operations import query_bench  # noqa: PLC0415
    from service.operations.query_bench import BenchError  # noqa: PLC0415

    types = {p.name: p.type for p in query.params}
    rows = []
    try:
        given = {n: query_bench.python_value(types[n], v) for n, v in values.items() if n in types}
        try:
            rows.append(query_bench.pgbench(dsn, query, values, load))
        except BenchError as error:
            say(str(error))
        identity = UUID(tenant or NOBODY)
        rows.append(asyncio.run(query_bench.engine(dsn, query, given, identity, load)))
        target = _target(query, values, tenant)
        if target is not None and tenant is not None:
            asked = query_bench.service(dsn, *target, tenant, load, os.environ)
            rows.append(asyncio.run(asked))
    except (BenchError, Failure) as error:
        fail(str(error))
    return rows


def _target(
    query: Query, values: dict[str, str | None], tenant: str | None
) -> tuple[str, str] | None:
    """The GET that this query answers, and what to ask of it; None where there is none."""
    from service.resources import ENDPOINTS  # noqa: PLC0415  (nothing else needs them)

    endpoint = next((e for e in ENDPOINTS if e.method == "GET" and e.answers == query.name), None)
    if endpoint is None:
        return None
    given: dict[str, Any] = {n: v for n, v in values.items() if v is not None and n != "tenant_id"}
    if query.kind == "page":
        given["limit"] = int(given["limit"]) - 1
    names = re.findall(r"\{(\w+)\}", endpoint.path)
    if tenant is None or not set(names) <= given.keys():
        say(f"GET {endpoint.path} is left out: it wants --tenant and {', '.join(names)}")
        return None
    path = re.sub(r"\{(\w+)\}", lambda found: quote(str(given[found[1]]), safe=""), endpoint.path)
    asked = {name: value for name, value in given.items() if name in endpoint.query}
    return f"GET {endpoint.path}", f"{path}?{urlencode(asked)}" if asked else path
