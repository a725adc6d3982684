"""`service/database/tree.pyi`: what editors and mypy know of `sql.projects.get`.

Each query is a class that takes its parameters and gives its kind. Sessions accept such a call
signature (`Callable[P, One]`), so that a wrong name or type of a parameter is found by mypy.
"""

from collections.abc import Iterable, Mapping
from itertools import groupby
from pathlib import Path
from typing import Final

from service.database import tree
from service.database.header import Param
from service.database.queries import Query

__all__ = ["PATH", "render"]

PATH: Final = Path(tree.__file__).with_suffix(".pyi")

_PYTHON: Final = {
    "uuid": "UUID",
    "text": "str",
    "smallint": "int",
    "int": "int",
    "bigint": "int",
    "numeric": "Decimal",
    "float8": "float",
    "boolean": "bool",
    "timestamptz": "datetime",
    "date": "date",
    "interval": "timedelta",
    "json": "Json",
    "jsonb": "Json",
    "inet": "Address",
    "bytea": "bytes",
}
_HEAD: Final = '''\
"""Written by `quarry sql stubs` from the query files; do not edit."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface
from uuid import UUID

__all__ = ["Affected", "Many", "One", "Page", "QueryName", "Stream", "Tree", "Value", "sql"]

Json = object
Address = IPv4Address | IPv4Interface | IPv6Address | IPv6Interface | str

class One: ...
class Many: ...
class Page: ...
class Value: ...
class Affected: ...
class Stream: ...
class QueryName(str): ...
'''


def render(queries: Mapping[str, Query]) -> str:
    """The whole text of `tree.pyi`; the same for the same queries, whatever their order."""
    parts = [_HEAD]
    folders = []
    ordered = sorted(queries.values(), key=lambda query: query.name)
    for folder, inside in groupby(ordered, key=lambda query: query.name.partition(".")[0]):
        folders.append(folder)
        parts.append(f"\nclass _{folder}:\n{''.join(map(_query, inside))}")
    attributes = "".join(f"    {folder}: _{folder}\n" for folder in folders) or "    pass\n"
    parts.append(f"\nclass Tree:\n{attributes}\nsql: Tree\n")
    return "".join(parts)


def _query(query: Query) -> str:
    name = query.name.partition(".")[2]
    given = ", ".join(_parameters(query))
    signature = f"self, *, {given}" if given else "self"
    return (
        f"    class _{name}(QueryName):\n"
        f"        def __call__({signature}) -> {query.kind.title()}: ...\n"
        f"    {name}: _{name}\n"
    )


def _parameters(query: Query) -> Iterable[str]:
    for param in query.params:
        if query.kind == "page" and (param.name == "limit" or param.name.startswith("after_")):
            continue  # page() fills them from the request's limit and cursor
        yield f"{param.name}: {_annotation(param)}"


def _annotation(param: Param) -> str:
    python = _PYTHON[param.type.removesuffix("[]")]
    if param.type.endswith("[]"):
        python = f"list[{python}]"
    return f"{python} | None = ..." if param.nullable else python
