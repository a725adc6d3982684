"""`quarry key`: API keys."""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID

import typer

from service.cli.output import FOUND, Json, fail, print_json, print_table, say
from service.cli.sessions import operator
from service.database.tree import sql
from service.operations.operator import OperatorError

app = typer.Typer(no_args_is_help=True, help="Add, list and revoke API keys.")

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def _expiry(text: str | None) -> datetime | None:
    if text is None:
        return None
    match = re.fullmatch(r"([1-9][0-9]{0,4})([mhdw])", text)
    if match is None:
        fail(f"--expires {text}: give a number and m, h, d or w, such as 30d")
    return datetime.now(UTC) + timedelta(**{_UNITS[match[2]]: int(match[1])})


@app.command()
def add(
    tenant: Annotated[str, typer.Option(help="The tenant's name or id.")],
    scope: Annotated[list[str], typer.Option(help="A scope; repeatable. * is all.")],
    name: Annotated[str, typer.Option(help="What people call the key.")] = "",
    user: Annotated[str | None, typer.Option(help="Bind to a user: e-mail address or id.")] = None,
    project: Annotated[
        list[UUID] | None, typer.Option(help="Bind to a project; repeatable.")
    ] = None,
    rate_limit: Annotated[int | None, typer.Option(min=1, help="Requests per second.")] = None,
    expires: Annotated[str | None, typer.Option(help="Ends after this time, such as 30d.")] = None,
) -> None:
    """Make a key and print it on stdout: alone, and only this once."""
    with operator() as admin:
        try:
            key = admin.add_key(
                tenant, scope, name=name, user=user, projects=project or None,
                rate_limit=rate_limit, expires_at=_expiry(expires),
            )  # fmt: skip
        except OperatorError as error:
            fail(str(error), FOUND)
    sys.stdout.write(key + "\n")


@app.command("list")
def list_(
    tenant: Annotated[str | None, typer.Option(help="Only this tenant's.")] = None,
    as_json: Json = False,
) -> None:
    """List keys, newest first; never a secret."""
    with operator() as admin, admin.as_tenant():
        rows = admin.run(sql.keys.list, tenant=tenant)
    columns = ("id", "tenant", "name", "scopes", "user_id", "project_ids", "rate_limit",
               "created_at", "expires_at", "revoked_at")  # fmt: skip
    print_table(columns, rows, as_json)


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(help="The key's id, or the key itself.")],
    as_json: Json = False,
) -> None:
    """Refuse a key from now on, in every process at once."""
    match = re.fullmatch(r"(?:qk_)?([0-9a-f]{32})(?:_.*)?", key_id.replace("-", "", 4)[:100])
    if match is None:
        fail("give the key's id (see `quarry key list`) or the key itself")
    with operator() as admin, admin.as_tenant():
        changed = admin.run(sql.keys.revoke, key_id=UUID(match[1]))[0]["affected"]
    if not changed:
        fail("there is no such key, or it is revoked already", FOUND)
    if as_json:
        print_json({"revoked": str(UUID(match[1]))})
    else:
        say("the key is refused from now on")
