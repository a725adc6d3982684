"""Integrity: whether a tenant's data is what it must be."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from service.checks import CHECKS, Check, Outcome, files_on_disk, outcome
from service.database.errors import Failure, Kind
from service.database.session import Session
from service.http.answers import json_answer
from service.http.context import context, principal, session
from service.http.inputs import number, one_of, query
from service.http.routing import Endpoint

_OF_TENANTS = {check.name: check for check in CHECKS if check.needs != "declared"}


async def check(request: Request) -> Response:
    """Looks at all data of the tenant for damage that the rules should make impossible.

    `state` is FAIL where a check found something, ERROR where one could not run, which says nothing
    about the data. The service's own schema is checked by its operators.
    """
    asked = query(request)
    chosen = [_OF_TENANTS[asked["check"]]] if asked["check"] else list(_OF_TENANTS.values())
    files: bytes | None = None
    if any(each.needs == "files" for each in chosen):
        tenant_id = principal(request).identity.tenant_id
        files = await files_on_disk(context(request).process.files, tenant_id)
    async with session(request) as db:
        found = [await _run(db, each, files, asked["evidence"]) for each in chosen]
    states = {each.state for each in found}
    state = next((s for s in ("ERROR", "FAIL") if s in states), "PASS")
    return json_answer({"state": state, "checks": [_told(each) for each in found]})


async def _run(db: Session, each: Check, files: bytes | None, most: int) -> Outcome:
    values: dict[str, Any] = {"most": most} | ({"files": files} if each.needs == "files" else {})
    try:
        return outcome(each, await db.fetch(each.query, **values))
    except Failure as failure:
        if failure.kind is not Kind.UNEXPECTED:  # the database is away, the time is over
            raise
        return Outcome(each, "ERROR", error="The check could not run.")


def _told(found: Outcome) -> dict[str, Any]:
    return {
        "check": found.check.name,
        "class": found.check.kind,
        "state": found.state,
        "count": found.count,
        "error": found.error,
        "evidence": [
            {"table": row["table_name"], "kind": row["kind"], "detail": row["detail"],
             "id": row["row_id"] and str(row["row_id"]), "count": row["count"]}
            for row in found.evidence
        ],
    }  # fmt: skip


_STATE = {"enum": ["PASS", "FAIL", "ERROR"]}
_COUNT = {"type": "integer", "minimum": 0}
_TEXT = {"type": "string"}


def _object(**properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "required": list(properties), "properties": properties,
            "additionalProperties": False}  # fmt: skip


_EVIDENCE = _object(
    table=_TEXT, kind=_TEXT, detail=_TEXT, count=_COUNT,
    id={"type": ["string", "null"], "format": "uuid"},
)  # fmt: skip
_CHECK: dict[str, Any] = {
    "check": {"enum": list(_OF_TENANTS)}, "class": _TEXT, "state": _STATE, "count": _COUNT,
    "error": {"type": ["string", "null"]}, "evidence": {"type": "array", "items": _EVIDENCE},
}  # fmt: skip
_ANSWER = _object(state=_STATE, checks={"type": "array", "items": _object(**_CHECK)})
_QUERY = {
    "check": one_of("Only this check.", *_OF_TENANTS),
    "evidence": number("Rows of evidence per kind of damage.", 1, 100, 10),
}
ENDPOINTS = [
    Endpoint("GET", "/integrity", check, "admin", "Look for damage in the tenant's data",
             "integrity", query=_QUERY, schema=_ANSWER, admin=True, timeout_ms=60_000),
]  # fmt: skip
