"""Rules of `:page` queries: ordered as the cursor says, each row once, limited."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from service.database.lexer import scan
from service.database.queries import Query
from service.operations.live_schema import Catalog
from service.operations.parse_tree import (
    Found,
    column_name,
    column_path,
    equalities,
    kind_of,
    location,
    table_name,
    walk,
)

__all__ = ["check"]


def check(query: Query, catalog: Catalog, statement: Any) -> list[Found]:
    """All findings of a parsed page; of none that is not a plain SELECT."""
    if kind_of(statement) != "SelectStmt":
        return []
    return [*_order(query, catalog, statement), *_limit(query, statement)]


def _order(query: Query, catalog: Catalog, statement: Any) -> Iterator[Found]:
    wanted = list(query.cursor)
    targets: list[Any] = list(statement.targetList or ())
    outputs = {item.name or column_name(item.val): item.val for item in targets}
    items: list[Any] = list(statement.sortClause or ())
    given = [(_sort_name(item.node, outputs), _descending(item)) for item in items]
    if given != wanted:
        shown = ", ".join(f"{name} desc" if down else name for name, down in wanted)
        where = items[0].node if items else targets[0]
        yield location(where), "cursor_order", f"the cursor wants ORDER BY {shown}", ""
    elif not _is_total(catalog, statement, [outputs.get(name) for name, _ in wanted]):
        message = "equal rows would be lost between pages: end the order in id"
        yield location(items[-1].node), "cursor_total", message, ""


def _limit(query: Query, statement: Any) -> Iterator[Found]:
    selects = [node for node in walk(statement) if kind_of(node) == "SelectStmt"]
    offset = next((node.limitOffset for node in selects if node.limitOffset), None)
    if offset or not any(_is_limit(query, node.limitCount) for node in selects):
        word = "OFFSET" if offset else "SELECT"
        at = next(t.start for t in scan(query.sql) if t.text.upper() == word)
        yield at, "cursor_limit", "a page has LIMIT :limit, and no OFFSET", ""


def _is_limit(query: Query, node: Any) -> bool:
    return kind_of(node) == "ParamRef" and query.order[node.number - 1] == "limit"


def _is_total(catalog: Catalog, statement: Any, order: list[Any]) -> bool:
    """Whether no two rows are equal in the order (`id` is taken to be unique in its tenant)."""
    columns = [column_name(node) for node in order]
    if "id" in columns[-1:]:
        return True
    fixed = set(columns)
    for left, right in equalities(statement.whereClause):
        for one, other in ((left, right), (right, left)):
            if column_path(one) and kind_of(other) in {"ParamRef", "TypeCast", "A_Const"}:
                fixed.add(column_name(one))
    tables = list(_tables(statement.fromClause or ()))
    return len(tables) == 1 and any(index <= fixed for index in catalog.unique.get(tables[0], ()))


def _tables(items: Iterable[Any]) -> Iterator[str]:
    """The tables of a FROM."""
    for item in items:
        if kind_of(item) == "JoinExpr":
            yield from _tables((item.larg, item.rarg))
        elif kind_of(item) == "RangeTableSample":
            yield from _tables((item.relation,))
        elif kind_of(item) == "RangeVar":
            yield table_name(item)


def _sort_name(node: Any, outputs: Mapping[str, Any]) -> str:
    """The result column that an ORDER BY item sorts by."""
    names = column_path(node)
    if names and len(names) == 1:
        return names[0]
    for name, value in outputs.items():
        if names is not None and column_path(value) == names:
            return name
    return ""


def _descending(item: Any) -> bool | None:
    """Its direction; None where NULLS or USING make it one that no cursor has."""
    if item.sortby_nulls.name != "SORTBY_NULLS_DEFAULT":
        return None
    return {"SORTBY_DEFAULT": False, "SORTBY_ASC": False, "SORTBY_DESC": True}.get(
        item.sortby_dir.name
    )
