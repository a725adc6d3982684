"""The query files of the running service, for its DBA: on the admin listener only."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from service.http.answers import json_answer
from service.http.context import context
from service.http.problems import FieldError, Problem
from service.http.routing import Endpoint
from service.http.workbench import Workbench
from service.resources.docs import html

_RELOAD_MS = 60_000


def _workbench(request: Request) -> Workbench:
    found = context(request).process.workbench
    assert found is not None  # noqa: S101  (the lifespan made it)
    return found


async def reload(request: Request) -> Response:
    """Read the query files anew, in all workers of this host: served whole from now on, or refused
    with all findings while the old ones are served."""
    if context(request).header(b"origin") is not None:
        raise Problem("forbidden", "No page of a browser may ask for this.")
    outcome = dict(await _workbench(request).reload(everywhere=True))
    if outcome["status"] == "refused":
        raise Problem(
            "validation", "The query files are refused; the old ones are served.",
            errors=[
                FieldError("{path}:{line}:{column}".format(**f), f["code"], f["message"])
                for f in outcome["findings"]
            ],
            extra={name: outcome[name] for name in ("findings", "fingerprint", "not_checked")},
        )  # fmt: skip
    differing = [w for w in outcome["workers"] if w.get("fingerprint") != outcome["fingerprint"]]
    if differing:
        extra = {name: outcome[name] for name in ("fingerprint", "workers")}
        raise Problem("conflict", "Not all workers of this host serve the same.", extra=extra)
    return json_answer(outcome)


async def page(request: Request) -> Response:
    """All queries and tables, and who uses what."""
    return html(request, await _workbench(request).page())


_NAMES = {"type": "array", "items": {"type": "string"}}
_OUTCOME = {
    "type": "object",
    "required": ["status", "fingerprint", "queries", "added", "removed", "changed", "contract"],
    "properties": {
        "status": {"enum": ["reloaded", "unchanged"]},
        "fingerprint": {"type": "string"},
        "queries": {"type": "integer"},
        "added": _NAMES,
        "removed": _NAMES,
        "changed": _NAMES,
        "contract": _NAMES,
        "workers": {"type": "array", "items": {"type": "object"}},
    },
}
ADMIN_ENDPOINTS: list[Endpoint] = [
    Endpoint("POST", "/admin/sql/reload", reload, None, "Serve the query files as they are now",
             "sql", schema=_OUTCOME, timeout_ms=_RELOAD_MS, admin=True,
             problems=("validation", "conflict", "forbidden", "database_unavailable")),
    Endpoint("GET", "/sql/docs", page, None, "All queries and tables, and who uses what", "sql",
             etag=True, schema={"type": "string"}, media_type="text/html", admin=True,
             problems=("database_unavailable",)),
]  # fmt: skip
