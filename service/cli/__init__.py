"""The `quarry` command: one module per command group."""

from __future__ import annotations

from typing import Annotated

import typer

import service
from service.cli import (
    bench,
    cases,
    check,
    config,
    db,
    demo,
    integrity,
    inventory,
    jobs,
    key,
    migrate,
    openapi,
    serve,
    sql,
    tenant,
)

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Quarry: an async data service whose whole data layer is SQL that people can read.",
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"quarry {service.__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Every command reads the same settings: see `quarry config`."""


app.command("serve")(serve.serve)
app.command("check")(check.check)
app.command("config")(config.config)
app.command("demo")(demo.demo)
app.command("import")(inventory.import_)
app.command("openapi")(openapi.openapi)
app.command("bench", context_settings=bench.CONTEXT)(bench.bench)
app.add_typer(tenant.app, name="tenant")
app.add_typer(key.app, name="key")
app.add_typer(jobs.app, name="jobs")
app.add_typer(integrity.app, name="integrity")
app.add_typer(migrate.app, name="migrate")
app.add_typer(sql.app, name="sql")
app.add_typer(db.app, name="db")
app.add_typer(cases.app, name="cases")
