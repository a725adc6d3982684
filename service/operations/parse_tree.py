"""Reading PostgreSQL's own parse tree, as pglast gives it.

pglast is a development dependency, so it is imported when it is needed and not before. Its nodes
carry no types that mypy knows.
"""

import functools
from collections.abc import Iterator
from typing import Any, TypeAlias

from service.database.queries import Query

__all__ = [
    "Found",
    "ParseError",
    "ToolMissingError",
    "alias_of",
    "children",
    "column_name",
    "column_path",
    "equalities",
    "kind_of",
    "location",
    "nodes_in",
    "parse",
    "table_name",
    "tables",
    "targets",
    "walk",
]


Found: TypeAlias = tuple[int, str, str, str]  # offset in `query.sql`, code, message, advice


class ToolMissingError(Exception):
    """pglast is not installed; the message says how to get it."""


class ParseError(Exception):
    """PostgreSQL's parser does not take the text."""


def parse(query: Query) -> Any:
    """The one statement of `query.sql`. Raises ParseError and ToolMissingError."""
    return _parsed(query.sql)


@functools.lru_cache(1024)
def _parsed(text: str) -> Any:
    try:
        from pglast import parse_sql  # noqa: PLC0415
        from pglast.parser import ParseError as Refusal  # noqa: PLC0415
    except ImportError as error:
        raise ToolMissingError("the rules need pglast: pip install 'pglast>=8.7'") from error
    try:
        return parse_sql(text)[0].stmt
    except Refusal as error:
        raise ParseError(str(error.args[0])) from error


def tables(query: Query) -> list[str]:
    """The tables that a query names, schema included. Raises ToolMissingError."""
    try:
        statement = parse(query)
    except ParseError:
        return []
    found = {table_name(node) for node in walk(statement) if kind_of(node) == "RangeVar"}
    return sorted(name for name in found if "." in name)


def targets(statement: Any) -> list[Any]:
    """The nodes of the result columns, in their order."""
    while getattr(statement, "larg", None):
        statement = statement.larg
    if kind_of(statement) == "SelectStmt":
        return list(statement.targetList or ())
    returning = statement.returningClause
    return list(returning.exprs) if returning else []


def kind_of(node: Any) -> str:
    """The name of its class, as PostgreSQL calls it."""
    return type(node).__name__


def nodes_in(value: Any) -> Iterator[Any]:
    """The nodes in an attribute's value."""
    if isinstance(value, tuple):
        for item in value:
            yield from nodes_in(item)
    elif type(value).__module__ == "pglast.ast":
        yield value


def children(node: Any) -> Iterator[Any]:
    """The nodes directly below."""
    for attribute in node:
        yield from nodes_in(getattr(node, attribute))


def walk(node: Any) -> Iterator[Any]:
    """The node and everything below it."""
    yield node
    for child in children(node):
        yield from walk(child)


def location(node: Any) -> int:
    """The first place in the text that the node or anything in it knows."""
    places = [getattr(n, "location", None) for n in walk(node)]
    return next((place for place in places if isinstance(place, int) and place >= 0), 0)


def table_name(node: Any) -> str:
    """A RangeVar's name, with its schema where it is given."""
    return f"{node.schemaname}.{node.relname}" if node.schemaname else str(node.relname)


def alias_of(node: Any) -> str:
    """The name by which a FROM item is known."""
    alias = getattr(node, "alias", None)
    return str(alias.aliasname if alias else getattr(node, "relname", ""))


def column_path(node: Any) -> list[str] | None:
    """The parts of a column's name, or None for anything else."""
    if kind_of(node) != "ColumnRef" or kind_of(node.fields[-1]) != "String":
        return None
    return [part.sval for part in node.fields]


def column_name(node: Any) -> str:
    """The column's own name, "" for anything else."""
    names = column_path(node)
    return names[-1] if names else ""


def equalities(node: Any) -> Iterator[tuple[Any, Any]]:
    """The pairs that must be equal for a condition to hold."""
    if kind_of(node) == "BoolExpr" and node.boolop.name == "AND_EXPR":
        for part in node.args:
            yield from equalities(part)
    elif kind_of(node) == "A_Expr" and node.kind.name == "AEXPR_OP" and node.name[-1].sval == "=":
        if kind_of(node.lexpr) == kind_of(node.rexpr) == "RowExpr":
            yield from zip(node.lexpr.args, node.rexpr.args, strict=False)
        else:
            yield node.lexpr, node.rexpr
