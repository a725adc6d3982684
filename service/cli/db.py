"""`quarry db`: the embedded PostgreSQL, and a psql for whichever database is configured."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from service.cli import database
from service.cli.output import FOUND, Json, fail, print_table, say

if TYPE_CHECKING:
    from service.database.embedded import Embedded

app = typer.Typer(no_args_is_help=True, help="The embedded PostgreSQL: shell, url, start, stop.")

User = Annotated[str, typer.Option("--user", help="The role to connect as.")]
COLUMNS = ("running", "pid", "version", "data", "socket", "port", "url")


@contextmanager
def _server() -> Iterator[Embedded]:
    """The embedded server; exit 2 when another database is configured, or with its own message."""
    config = database.settings()
    if config.database_url:
        fail("QUARRY_DATABASE_URL is set, so there is no embedded server. `quarry db shell` works.")
    server = database.embedded(config)
    from service.database.embedded import EmbeddedError  # noqa: PLC0415  (an optional extra)

    try:
        yield server
    except EmbeddedError as error:
        fail(str(error))


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def shell(context: typer.Context, user: User = "postgres") -> None:
    """psql on the database; what follows goes to psql: `quarry db shell -c 'SELECT 1'`."""
    config = database.settings()
    if config.database_url:
        program, dsn = "psql", config.migration_url or config.database_url
    else:
        server = database.use_embedded(config)
        program, dsn = str(server.binaries / "psql"), server.dsn(user=user)
    parts = conninfo_to_dict(dsn)
    if password := parts.pop("password", None):
        os.environ["PGPASSWORD"] = str(password)  # arguments can be read by everybody
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # psql's own business
    try:
        done = subprocess.run([program, make_conninfo("", **parts), *context.args], check=False)
        raise typer.Exit(done.returncode)
    except FileNotFoundError:
        fail("psql is not installed: install the PostgreSQL client.")


@app.command()
def url(user: User = "postgres") -> None:
    """Print the embedded server's URL alone, for any PostgreSQL tool on this machine."""
    with _server() as server:
        typer.echo(server.dsn(user=user))
        if not server.running():
            say("It does not run now: `quarry db start`.")


@app.command()
def start() -> None:
    """Start the embedded server and leave it running; says so when it runs already."""
    with _server() as server:
        server.start()
        (server.root / database.KEEP).touch()
        state = "started" if server.started_here else "runs already"
        say(f"Embedded PostgreSQL {server.version} {state} (pid {server.pid}) in {server.root}.")


@app.command()
def stop() -> None:
    """Stop the embedded server: clients are cut, committed work is kept."""
    with _server() as server:
        was = server.running()
        (server.root / database.KEEP).unlink(missing_ok=True)
        server.stop()
        say("Stopped." if was else "It was not running.")


@app.command()
def status(as_json: Json = False) -> None:
    """Whether the embedded server runs, and where; exit 1 when it does not."""
    with _server() as server:
        running = server.running()
        row: dict[str, Any] = {
            "running": running,
            "pid": server.pid,
            "version": server.version,
            "data": str(server.cluster),
            "socket": str(server.socket_dir),
            "port": server.port,
            "url": server.dsn(),
        }
    print_table(COLUMNS, [row], as_json)
    if not running:
        raise typer.Exit(FOUND)
