"""Flows: where the phases of an import stand, and the steps that callers may ask for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from asyncpg.pgproto.pgproto import UUID
from starlette.requests import Request
from starlette.responses import Response

from service.database.errors import Failure, Kind
from service.database.session import Row, Session
from service.database.tree import sql
from service.http import events
from service.http.answers import entity, expected_version, no_content
from service.http.context import context, session
from service.http.inputs import flag, one_of, path_uuid, query
from service.http.paging import PAGING, listing
from service.http.problems import Problem
from service.http.routing import Endpoint
from service.resources.discovery_job import (
    PHASES,
    gate_is_open,
    told_of_conflicts,
    told_of_gate,
)
from service.resources.documents import require_project

READ, WRITE = "discovery:read", "discovery:write"
TOPIC = "flow"  # its events in core.topic_events
REMOVAL_MS = 600_000  # until all rows of a flow are removed, at most

Type = Literal["discovery", "assessment", "collection", "planning", "execution", "modernize",
               "finops", "observability", "decommission"]  # fmt: skip
Status = Literal["initialized", "running", "paused", "waiting_for_approval", "completed", "failed",
                 "cancelled", "archived"]  # fmt: skip
# phases that only look at rows or assets again, whenever they are asked to
_REPEATABLE = ("dependencies", "technical_debt")
_STANDING = ("paused", "waiting_for_approval", "failed")  # statuses that somebody ends
_BEFORE_INVENTORY = ("validation", "mapping", "cleansing", "inventory")


async def index(request: Request) -> Response:
    """The flows, newest first."""
    asked, project_id = query(request), path_uuid(request)
    await require_project(request, project_id)
    filters = {"project_id": project_id, "type": asked["type"]}
    if asked["status"] is None:
        return await listing(request, sql.flows.list, **filters)
    return await listing(request, sql.flows.list_of_status, **filters, status=asked["status"])


async def active(request: Request) -> Response:
    """The flows that have not ended, newest first."""
    project_id = path_uuid(request)
    await require_project(request, project_id)
    return await listing(request, sql.flows.active, project_id=project_id)


async def get(request: Request) -> Response:
    """One flow, with its phases."""
    project_id, flow_id = _ids(request)
    async with session(request) as db:
        return entity(await db.one(sql.flows.get, project_id=project_id, flow_id=flow_id), request)


async def summary(request: Request) -> Response:
    """A flow in numbers: phases, outcomes of its rows, assets by type and status."""
    project_id, flow_id = _ids(request)
    async with session(request) as db:
        row = await db.one(sql.flows.summary, project_id=project_id, flow_id=flow_id)
        return entity(row, request)


async def preview(request: Request) -> Response:
    """What the rows would become: each as it came and as cleansed so far."""
    project_id, flow_id = _ids(request)
    async with session(request) as db:
        await _state(db, project_id, flow_id)
    return await listing(request, sql.flows.preview, project_id=project_id, flow_id=flow_id)


async def pause(request: Request) -> Response:
    """Pause a running flow. A phase that runs is not cut off: the flow then stands before the next
    one."""
    return await _step(request, "paused")


async def cancel(request: Request) -> Response:
    """Cancel a flow for good. A phase that runs leaves nothing; what was made before stays."""
    return await _step(request, "cancelled")


async def archive(request: Request) -> Response:
    """Put a flow away that has ended."""
    return await _step(request, "archived")


async def resume(request: Request) -> Response:
    """Go on with a flow that is paused, or that waits and has what it waits for."""
    project_id, flow_id = _ids(request)
    async with session(request) as db:
        state = await _state(db, project_id, flow_id)
        if state["status"] == "waiting_for_approval":
            _require_decided(request, state)
    return await _run(request, "paused", "waiting_for_approval")


def _require_decided(request: Request, state: Any) -> None:
    settings = context(request).process.settings
    approved, columns = state["approved"], state["columns"]
    if state["current_phase"] == "mapping" and not gate_is_open(approved, columns, settings):
        raise Problem("conflict", told_of_gate(approved, columns, settings))
    if state["current_phase"] == "conflicts" and state["open_conflicts"]:
        raise Problem("conflict", told_of_conflicts(state["open_conflicts"]))


async def retry(request: Request) -> Response:
    """Let a failed flow run again from the phase that failed, at most 3 times."""
    return await _run(request, "failed")


async def run_phase(request: Request) -> Response:
    """Do a phase again, and those after it, in a flow that is paused, waits or has failed. Before
    the inventory every phase that was done; after it, what only looks at the assets again."""
    project_id, flow_id = _ids(request)
    phase = request.path_params["phase"]
    if phase not in PHASES:
        raise Problem("not_found")
    async with session(request) as db:
        state = await _state(db, project_id, flow_id)
    if state["status"] not in _STANDING:
        raise _not_from(state["status"], _STANDING)
    at = state["current_phase"]
    reached = at in PHASES and PHASES.index(phase) <= PHASES.index(at)
    sensible = phase == at or phase in _REPEATABLE or at in _BEFORE_INVENTORY
    if not (reached and sensible):
        raise Problem("conflict", f"The flow is in {at}: {phase} cannot be done now.")
    return await _run(request, *_STANDING, phase=phase)


async def delete(request: Request) -> Response:
    """Archive a flow that has ended; with `purge=true` remove it, its import, rows and assets."""
    project_id, flow_id = _ids(request)
    expected = expected_version(request)
    purge = query(request)["purge"]
    async with session(request) as db:

        async def work() -> None:
            if purge:
                await alone(db, sql.flows.lock, flow_id=flow_id)
                await db.execute(sql.flows.unlink, project_id=project_id, flow_id=flow_id)
                done: Any = await db.execute(
                    sql.flows.purge, project_id=project_id, flow_id=flow_id,
                    expected_version=expected,
                )  # fmt: skip
            else:
                done = await db.one(
                    sql.flows.step, project_id=project_id, flow_id=flow_id, status="archived",
                    expected_version=expected,
                )  # fmt: skip
            if not done:  # and nothing is let go of
                state = await _state(db, project_id, flow_id)
                if purge and state["status"] == "running":
                    raise Problem("conflict", "The flow runs; pause or cancel it first.")
                raise Problem("stale_etag")

        await db.atomically(work)
    return no_content()


async def follow(request: Request) -> Response:
    """Every change as it commits, as Server-Sent Events: `status`, `phase` or `change`; `id` is the
    version. It begins with the first change, or behind Last-Event-ID, and ends with the flow."""
    project_id, flow_id = _ids(request)
    async with session(request) as db:
        state = await _state(db, project_id, flow_id)

    async def still() -> bool:
        async with session(request) as db:
            found = await db.fetch(sql.flows.state, project_id=project_id, flow_id=flow_id)
            return bool(found)

    return await events.follow(
        request, TOPIC, flow_id, last=state["version"], is_over=state["is_over"], still=still
    )


async def alone(db: Session, lock: Any, **of: UUID) -> Any:
    """Take a flow for the open transaction, to remove its rows. Raises Problem conflict."""
    await db.value(sql.flows.unhurried, seconds=REMOVAL_MS // 1000)
    try:
        return await db.value(lock, **of)
    except Failure as failure:
        if failure.kind is not Kind.LOCKED:
            raise
        raise Problem(
            "conflict", "A phase works on the rows of the flow; cancel it, or wait for its end.",
            headers={"Retry-After": "5"},
        ) from None  # fmt: skip


def _ids(request: Request) -> tuple[UUID, UUID]:
    return path_uuid(request), path_uuid(request, "flow_id")


async def _state(db: Any, project_id: UUID, flow_id: UUID) -> Any:
    """Where the flow stands. Raises Problem not_found."""
    rows = await db.fetch(sql.flows.state, project_id=project_id, flow_id=flow_id)
    if not rows:
        raise Problem("not_found")
    return rows[0]


async def _step(request: Request, status: str) -> Response:
    project_id, flow_id = _ids(request)
    async with session(request) as db:
        row = await db.one(sql.flows.step, project_id=project_id, flow_id=flow_id, status=status)
        return entity(row, request)


async def _run(request: Request, *sources: str, phase: str | None = None) -> Response:
    """Take a flow back to running, with the job that does its phases. Raises Problem
    illegal_transition when it is in none of these statuses."""
    project_id, flow_id = _ids(request)
    async with session(request) as db:

        async def work() -> Row | None:
            row = await db.one(
                sql.flows.run, project_id=project_id, flow_id=flow_id, sources=list(sources),
                phase=phase,
            )  # fmt: skip
            if row is not None and phase is not None:
                again = list(PHASES[PHASES.index(phase) :])
                await db.execute(
                    sql.flows.rewind, project_id=project_id, flow_id=flow_id, phases=again
                )
            return row

        row = await db.atomically(work)
        if row is None:
            raise _not_from((await _state(db, project_id, flow_id))["status"], sources)
        return entity(row, request)


def _not_from(status: str, sources: Sequence[str]) -> Problem:
    return Problem("illegal_transition", f"The flow is {status}, not {' or '.join(sources)}.")


_ALL = "/projects/{project_id}/flows"
_ONE = _ALL + "/{flow_id}"
_STATUSES = list(Status.__args__)  # type: ignore[attr-defined]
_TYPES = list(Type.__args__)  # type: ignore[attr-defined]
_FILTERS = {
    "status": one_of("Only this status.", *_STATUSES),
    "type": one_of("Only this type.", *_TYPES),
}
_REFUSED = ("illegal_transition", "conflict")
_TEXT, _TEXT_OR_NULL = {"type": "string"}, {"type": ["string", "null"]}
_ID = _TEXT | {"format": "uuid"}
_COUNT = {"type": "integer", "minimum": 0}
_DATA: dict[str, Any] = {
    "id": _ID, "project_id": _ID, "flow_type": {"enum": _TYPES}, "status": {"enum": _STATUSES},
    "current_phase": _TEXT, "progress": _COUNT | {"maximum": 100}, "reason": _TEXT_OR_NULL,
    "error": _TEXT_OR_NULL | {"description": "Why it failed: JSON, cut at 2,000 characters."},
    "retry_count": _COUNT, "version": _COUNT, "updated_at": _TEXT | {"format": "date-time"},
}  # fmt: skip
_EVENT: dict[str, Any] = {
    "type": "object",
    "description": "One of the events of the stream; their data is JSON.",
    "required": ["id", "event", "data"],
    "properties": {
        "id": {"type": "string", "pattern": "^[0-9]+$", "description": "The version."},
        "event": {"enum": ["status", "phase", "change"]},
        "data": {
            "type": "string", "contentMediaType": "application/json",
            "contentSchema": {"type": "object", "required": list(_DATA), "properties": _DATA,
                              "additionalProperties": False},
        },
    },
}  # fmt: skip


def _action(name: str, handler: Any, summary: str) -> Endpoint:
    return Endpoint("POST", f"{_ONE}/{name}", handler, WRITE, summary, "discovery",
                    answers="flows.step", etag=True, problems=_REFUSED)  # fmt: skip


ENDPOINTS = [
    Endpoint("GET", _ALL, index, READ, "List flows, newest first", "discovery",
             answers="flows.list", query=PAGING | _FILTERS),
    Endpoint("GET", _ALL + "/active", active, READ, "List flows that have not ended", "discovery",
             answers="flows.active", query=PAGING),
    Endpoint("GET", _ONE, get, READ, "One flow and its phases", "discovery",
             answers="flows.get", etag=True),
    Endpoint("GET", _ONE + "/summary", summary, READ, "A flow in numbers", "discovery",
             answers="flows.summary"),
    Endpoint("GET", _ONE + "/preview", preview, READ, "What its rows would become", "discovery",
             answers="flows.preview", query=PAGING),
    _action("pause", pause, "Pause a running flow"),
    _action("resume", resume, "Go on with a flow"),
    _action("retry", retry, "Let a failed flow run again"),
    _action("cancel", cancel, "Cancel a flow"),
    _action("archive", archive, "Archive a flow that has ended"),
    _action("phases/{phase}/run", run_phase, "Do a phase again"),
    Endpoint("GET", _ONE + "/events", follow, READ, "Follow a flow as it goes", "discovery",
             headers=("LastEventId",), nothing_more=True,
             media_type=events.MEDIA_TYPE, schema=_EVENT),
    Endpoint("DELETE", _ONE, delete, WRITE, "Archive a flow, or remove all of it", "discovery", 204,
             timeout_ms=REMOVAL_MS,
             query={"purge": flag("Remove it with its import, rows and assets.")},
             precondition=True, problems=_REFUSED),
]  # fmt: skip
