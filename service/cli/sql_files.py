"""`quarry sql docs`, `reload`, and who uses which query."""

from __future__ import annotations

import functools
import http.client
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import psycopg
import typer

from service.cli import queries as files
from service.cli.database import database_url, settings
from service.cli.output import FOUND, Json, fail, print_json, say

if TYPE_CHECKING:
    from service.operations.usage import Usage

_PATH = "/admin/sql/reload"
_SECONDS = 60.0


@functools.cache
def users() -> Usage:
    """Who uses what, of everything that is installed."""
    from service.cli.commands import functions  # noqa: PLC0415  (these import everything)
    from service.operations.usage import find  # noqa: PLC0415
    from service.resources import ADMIN_ENDPOINTS, ENDPOINTS  # noqa: PLC0415

    return find(ENDPOINTS, ADMIN_ENDPOINTS, functions())


def callers(name: str) -> list[str]:
    """Who uses a query, and the places in the code: only who has a finding waits for it."""
    return [user.name for user in users().of(name)] + users().places(name)


def docs(
    out: Annotated[
        Path | None, typer.Option("--out", help="Write it to this file, not to stdout.")
    ] = None,
) -> None:
    """One page of HTML: all queries, all tables, who uses what. Works offline.

    A running service has the same page at /sql/docs of its admin listener.
    """
    from service.operations import sql_page  # noqa: PLC0415  (nothing else needs it)

    try:
        page = sql_page.render(database_url(), files.load_all(), users())
    except (ConnectionError, psycopg.Error) as error:
        fail(str(error).strip())
    if out is None:
        typer.get_binary_stream("stdout").write(page)
        return
    try:
        out.write_bytes(page)
    except OSError as error:
        fail(f"{out}: {error.strerror}")
    say(f"wrote {out} ({len(page) // 1024} KiB)")


def reload(
    url: Annotated[
        str | None,
        typer.Option(help="An admin listener; default: that of the settings on this host."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Make the running service of this host read the query files anew, in all its workers.

    They are checked first: then all are served from now on, or the service goes on with the old
    ones and the findings are printed (exit 1). `kill -HUP` of the service does the same; the
    outcome is then in its log.
    """
    status, answer = _ask(url or _admin_url())
    if as_json:
        print_json(answer)
    elif status == 200:
        _tell(answer)
    else:
        for finding in answer.get("findings", ()):
            typer.echo("{path}:{line}:{column}: {code}: {message}".format(**finding))
            if finding["suggestion"]:
                typer.echo(f"    {finding['suggestion']}")
        for worker in answer.get("workers", ()):
            typer.echo(f"worker {worker['worker']}: {worker['status']} {worker.get('reason', '')}")
        say(str(answer.get("detail", f"the service answered {status}")))
    if status != 200:
        raise typer.Exit(FOUND)


def _tell(answer: Mapping[str, Any]) -> None:
    for sign, name in (("+", "added"), ("-", "removed"), ("~", "changed")):
        for query in answer[name]:
            typer.echo(f"{sign} {query}")
    for line in answer["contract"]:
        typer.echo(f"contract: {line}")
    for reason in answer["not_checked"]:
        say(f"not all rules were checked: {reason}")
    workers = len(answer["workers"]) + 1
    where = f" in {workers} workers" if workers > 1 else ""
    if answer["status"] == "unchanged":
        say(f"nothing has changed{where}: {answer['queries']} queries")
    else:
        say(f"{answer['queries']} queries are served{where}, {answer['fingerprint']}")


def _admin_url() -> str:
    config = settings()
    if not config.admin_port:
        fail(
            "QUARRY_ADMIN_PORT is 0, so there is no admin listener to ask: send SIGHUP to the "
            "service (kill -HUP PID); the outcome is in its log"
        )
    host = f"[{config.admin_host}]" if ":" in config.admin_host else config.admin_host
    return f"http://{host}:{config.admin_port}"


def _ask(url: str) -> tuple[int, dict[str, Any]]:
    """The status and the JSON that the admin listener answers. Leaves with 2 without one."""
    host = url.removeprefix("http://").rstrip("/")
    link = http.client.HTTPConnection(host, timeout=_SECONDS)
    try:
        link.request("POST", _PATH)
        answer = link.getresponse()
        return answer.status, orjson.loads(answer.read())
    except (OSError, http.client.HTTPException) as error:
        fail(f"{url} does not answer: {error}. Does the service run, with this admin listener?")
    except orjson.JSONDecodeError:
        fail(f"{url} is no admin listener of this service")
    finally:
        link.close()
