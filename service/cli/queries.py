"""What the commands on query files share: loading, names, parameters, tenants."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Annotated, Any, Literal
from uuid import UUID

import psycopg
import typer

from service.cli.database import settings
from service.cli.output import FOUND, fail
from service.database.header import meant
from service.database.queries import Query, SqlFilesError, load
from service.database.tree import sql as names
from service.operations.trial import ValuesError, execute, given, transaction
from service.settings import SettingsError
from service.settings import load as read_settings


def complete_name(incomplete: str) -> Iterable[str]:
    """For the shell: the names that begin so. Reads no file."""
    with suppress(SettingsError):
        root = read_settings().sql_dir
        for path in sorted(root.glob("*/*.sql")):
            name = f"{path.parent.name}.{path.stem}"
            if name.startswith(incomplete):
                yield name


def complete_param(context: typer.Context, incomplete: str) -> Iterable[tuple[str, str]]:
    """For the shell: `key=` for each parameter of the query on the line, with its type."""
    # An option that waits for its value leaves the words before it unread.
    words = [context.params.get("name"), *(context.params.get("names") or ()), *context.args]
    with suppress(SettingsError, SqlFilesError):
        queries = load(read_settings().sql_dir)
        query = next((queries[word] for word in words if word in queries), None)
        for param in query.params if query else ():
            if param.name.startswith(incomplete):
                yield f"{param.name}=", f"{param.type} {param.note}".strip()


Name = Annotated[
    str, typer.Argument(help="A query's name, e.g. projects.get.", autocompletion=complete_name)
]
Params = Annotated[
    list[str] | None,
    typer.Option("-p", "--param", help="key=value; key alone is NULL.",
                 autocompletion=complete_param),
]  # fmt: skip
Format = Annotated[
    Literal["text", "json", "sarif", "github"],
    typer.Option("--format", help="How findings are printed."),
]


def load_all() -> dict[str, Query]:
    """All queries; exit 1 with the findings when a file is refused."""
    try:
        return load(settings().sql_dir)
    except SqlFilesError as error:
        fail(str(error), FOUND)


def one(name: str, queries: Mapping[str, Query]) -> Query:
    """The query of this name; exit 2 when there is none."""
    if name not in queries:
        fail(f"there is no query {name}; {meant(name, queries) or 'see: quarry sql list'}")
    return queries[name]


def values(query: Query, items: Iterable[str] | None) -> dict[str, str | None]:
    """The values of `-p key=value`; exit 2 when one is wrong."""
    try:
        return given(query, items or ())
    except ValuesError as error:
        fail(str(error))


def tenant_id(
    connection: psycopg.Connection[Any], queries: Mapping[str, Query], tenant: str
) -> str:
    """The id of the tenant with this name or id; exit 2 when there is none of the name."""
    with suppress(ValueError):
        return str(UUID(tenant))
    query = one(names.keys.tenant, queries)
    with transaction(connection, None, read_only=True) as pg:
        found = execute(pg, query, {"tenant": tenant}, None).get_value(0, 0)
    return found.decode() if found else fail(f"there is no tenant {tenant!r}")
