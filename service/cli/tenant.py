"""`quarry tenant`: organisations."""

from __future__ import annotations

from typing import Annotated

import typer

from service.cli.output import FOUND, Json, fail, print_json, print_table, say
from service.cli.sessions import operator
from service.database.tree import sql
from service.operations.operator import OperatorError

app = typer.Typer(no_args_is_help=True, help="Add, list and disable tenants.")

Name = Annotated[
    str, typer.Argument(help="The tenant's name: lower-case letters, digits, hyphens.")
]


@app.command()
def add(name: Name, as_json: Json = False) -> None:
    """Make a tenant."""
    with operator() as admin:
        try:
            made = admin.add_tenant(name)
        except OperatorError as error:
            fail(str(error), FOUND)
    if as_json:
        print_json(made)
    else:
        say(
            f"tenant {name} has the id {made['id']}; "
            f"next: quarry key add --tenant {name} --scope '*'"
        )


@app.command("list")
def list_(as_json: Json = False) -> None:
    """List all tenants."""
    with operator() as admin, admin.as_tenant():
        rows = admin.run(sql.tenants.list)
    print_table(("name", "id", "created_at", "disabled_at", "keys"), rows, as_json)


@app.command()
def remove(
    name: Name, yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False
) -> None:
    """Disable a tenant: all its keys are refused at once; its data stays."""
    if not yes:
        typer.confirm(f"Refuse all keys of {name} from now on?", abort=True)
    _set(name, disabled=True)


@app.command()
def enable(name: Name) -> None:
    """Let a disabled tenant in again."""
    _set(name, disabled=False)


def _set(name: str, *, disabled: bool) -> None:
    with operator() as admin, admin.as_tenant():
        changed = admin.run(sql.tenants.disable, name=name, disabled=disabled)[0]["affected"]
    if not changed:
        fail(f"there is no {'active' if disabled else 'disabled'} tenant {name!r}", FOUND)
    say(f"tenant {name} is {'disabled' if disabled else 'active'}")
