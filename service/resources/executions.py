"""Executions: runs of agents, whose state machine the database keeps, and how they are followed."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal
from uuid import UUID, uuid4

from msgspec import UNSET, Meta, UnsetType
from starlette.requests import Request
from starlette.responses import Response

from service.database.tree import sql
from service.http import events
from service.http.answers import created, entity, no_content, parse_if_match
from service.http.context import Context, context, principal, session
from service.http.inputs import (
    Body,
    JsonObject,
    body,
    given,
    moment,
    number,
    one_of,
    path_uuid,
    query,
    text,
)  # fmt: skip
from service.http.paging import PAGING, TOTAL, listing
from service.http.problems import Problem, invalid
from service.http.routing import Endpoint
from service.resources.projects import creator

READ, WRITE = "projects:read", "projects:write"
TOPIC = "execution"  # its events in core.topic_events
_OPEN = ("pending", "running", "needs_input")
_MOST_BYTES = 1024 * 1024  # of an input or output
_CORRELATION_ID = re.compile(r"[!-~]{1,128}\Z")

Status = Literal["pending", "running", "needs_input", "completed", "failed", "cancelled"]
AgentType = Annotated[str, Meta(min_length=1, max_length=50)]


class ExecutionCreate(Body):
    """A new execution. `input` has at most 1 MiB."""

    agent_type: AgentType
    input: JsonObject | UnsetType = UNSET
    requested_by: UUID | UnsetType = UNSET


class ExecutionUpdate(Body):
    """What changes; what is left out stays. `status` asks for a step: to name the one that the
    execution already has is none. `output` has at most 1 MiB."""

    status: Status | UnsetType = UNSET
    output: JsonObject | UnsetType = UNSET
    error_message: Annotated[str, Meta(max_length=10_000)] | UnsetType = UNSET
    progress: Annotated[int, Meta(ge=0, le=100)] | UnsetType = UNSET


async def create(request: Request) -> Response:
    """A new execution, pending. Its correlation id is that of X-Correlation-ID, else the trace id
    of traceparent, else a new uuid."""
    values = _bounded(given(await body(request, ExecutionCreate)), "input")
    values["requested_by"] = creator(principal(request), values["requested_by"])
    project_id, correlation_id = path_uuid(request), _correlation_id(context(request))
    async with session(request) as db:
        row = await db.one(
            sql.executions.create, project_id=project_id, correlation_id=correlation_id, **values
        )
        return created(row, f"/projects/{project_id}/agents/executions")


def _correlation_id(here: Context) -> str:
    sent = here.header(b"x-correlation-id")
    if sent is None:
        return here.trace_id or str(uuid4())
    if not _CORRELATION_ID.match(sent):
        raise Problem("bad_header", "X-Correlation-ID must have 1 to 128 visible ASCII characters.")
    return sent


def _bounded(values: dict[str, Any], name: str) -> dict[str, Any]:
    if values[name] is not None and len(values[name]) > _MOST_BYTES:
        raise invalid(f"/{name}", "invalid", f"at most {_MOST_BYTES} bytes")
    return values


async def get(request: Request) -> Response:
    """One execution."""
    project_id, execution_id = path_uuid(request), path_uuid(request, "execution_id")
    async with session(request) as db:
        row = await db.one(sql.executions.get, project_id=project_id, execution_id=execution_id)
        return entity(row, request)


async def index(request: Request) -> Response:
    """The executions, newest first."""
    asked, project_id = query(request), path_uuid(request)
    async with session(request) as db:
        if await db.value(sql.projects.version, project_id=project_id) is None:
            raise Problem("not_found")
    names = ["agent_type", "status", "since"]
    # the queries differ in the index that they go by
    if asked["correlation_id"] is not None:
        lists: tuple[Any, Any] = (sql.executions.list_correlated, sql.executions.count_correlated)
        names.append("correlation_id")
    elif asked["status"] in _OPEN:
        lists = (sql.executions.list_open, sql.executions.count_open)
    else:
        lists = (sql.executions.list, sql.executions.count)
    filters = {name: asked[name] for name in names}
    return await listing(request, *lists, project_id=project_id, **filters)


async def update(request: Request) -> Response:
    """Take an execution to another status, or report from the one that it is in. Without If-Match
    the state machine alone decides: of two who ask for the same step, one gets it."""
    match = context(request).header(b"if-match")
    expected = None if match is None else parse_if_match(match)
    values = _bounded(given(await body(request, ExecutionUpdate)), "output")
    project_id, execution_id = path_uuid(request), path_uuid(request, "execution_id")
    step = values.pop("status")
    async with session(request) as db:
        if step is None:
            row = await db.one(
                sql.executions.report, project_id=project_id, execution_id=execution_id,
                expected_version=expected, **values,
            )  # fmt: skip
        else:
            row = await db.one(
                sql.executions.step, project_id=project_id, execution_id=execution_id,
                expected_version=expected, status=step, **values,
            )  # fmt: skip
        if row is None:
            await _state(db, project_id, execution_id)
            raise Problem("stale_etag")
        return entity(row, request)


async def heartbeat(request: Request) -> Response:
    """A running execution is still alive. It is no change: the ETag stays. 409 when it does not
    run."""
    project_id, execution_id = path_uuid(request), path_uuid(request, "execution_id")
    async with session(request) as db:
        if not await db.execute(
            sql.executions.heartbeat, project_id=project_id, execution_id=execution_id
        ):
            state = await _state(db, project_id, execution_id)
            raise Problem("conflict", f"The execution is {state['status']}, not running.")
    return no_content()


async def follow(request: Request) -> Response:
    """Every change as it commits, as Server-Sent Events: `status` when the status is new, else
    `change`; `id` is the version, so that an ETag's number is also where to go on from.

    It begins with the first change, or behind Last-Event-ID, and ends after a final status; then
    204 tells who has seen that to come back no more. The request's deadline is that of the
    beginning only. It also ends when the key is revoked or expires, when the project is deleted,
    and when the process stops: come back with Last-Event-ID, and nothing is missed."""
    project_id, execution_id = path_uuid(request), path_uuid(request, "execution_id")
    async with session(request) as db:
        state = await _state(db, project_id, execution_id)

    async def still() -> bool:
        async with session(request) as db:
            return bool(
                await db.fetch(
                    sql.executions.state, project_id=project_id, execution_id=execution_id
                )
            )

    return await events.follow(
        request, TOPIC, execution_id, last=state["version"], is_over=state["is_final"], still=still
    )


async def _state(db: Any, project_id: Any, execution_id: Any) -> Any:
    """Version, status and is_final. Raises Problem not_found."""
    rows = await db.fetch(sql.executions.state, project_id=project_id, execution_id=execution_id)
    if not rows:
        raise Problem("not_found")
    return rows[0]


async def metrics(request: Request) -> Response:
    """The executions that the project began in the last so many days, in figures."""
    asked, project_id = query(request), path_uuid(request)
    async with session(request) as db:
        row = await db.one(sql.executions.metrics, project_id=project_id, days=asked["days"])
        return entity(row, request)


_STATUSES = list(Status.__args__)  # type: ignore[attr-defined]
_COUNT = {"type": "integer", "minimum": 0}
_RATE = {
    "type": ["number", "null"], "minimum": 0, "maximum": 1,
    "description": "completed / (completed + failed); null when there is neither.",
}  # fmt: skip
_MS = {"type": ["number", "null"], "description": "null when none has run and ended."}
_ID = {"type": "string", "format": "uuid"}
_MOMENT = {"type": "string", "format": "date-time"}
_OR_NULL = _MOMENT | {"type": ["string", "null"]}


def _object(**properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "required": list(properties), "properties": properties,
            "additionalProperties": False}  # fmt: skip


_METRICS = _object(
    days=_COUNT, since=_MOMENT, total=_COUNT,
    by_status=_object(**dict.fromkeys(_STATUSES, _COUNT)),
    success_rate=_RATE,
    duration_ms=_object(avg=_MS, p50=_MS, p95=_MS),
    by_agent_type={
        "type": "object", "description": "By agent type, the most frequent first.",
        "additionalProperties": _object(
            total=_COUNT, completed=_COUNT, failed=_COUNT, success_rate=_RATE, avg_duration_ms=_MS
        ),
    },
    per_day={
        "type": "array", "description": "Days of UTC that have any, by when they began.",
        "items": _object(day={"type": "string", "format": "date"}, total=_COUNT, completed=_COUNT,
                         failed=_COUNT),
    },
    recent={
        "type": "array", "maxItems": 10, "description": "The most recent, newest first.",
        "items": _object(
            id=_ID, agent_type={"type": "string"},
            correlation_id={"type": "string"}, status={"enum": _STATUSES},
            progress=_COUNT, duration_ms={"type": ["integer", "null"]}, created_at=_MOMENT,
            completed_at=_OR_NULL,
        ),
    },
)  # fmt: skip
_EVENT = {
    "type": "object",
    "description": "One of the events of the stream; their data is JSON.",
    "required": ["id", "event", "data"],
    "properties": {
        "id": {"type": "string", "pattern": "^[0-9]+$", "description": "The version."},
        "event": {"enum": ["status", "change"]},
        "data": {
            "type": "string", "contentMediaType": "application/json",
            "contentSchema": _object(
                id=_ID, project_id=_ID, agent_type={"type": "string"}, status={"enum": _STATUSES},
                progress=_COUNT, error_message={"type": ["string", "null"]},
                started_at=_OR_NULL, completed_at=_OR_NULL,
                duration_ms={"type": ["integer", "null"]}, version=_COUNT, updated_at=_MOMENT,
            ),
        },
    },
}  # fmt: skip
_FILTERS = {
    "agent_type": text("Only this agent.", most=50),
    "status": one_of("Only this status.", *_STATUSES),
    "correlation_id": text("Only what belongs to it.", most=128),
    "since": moment("Only what was created then or later."),
}
_DAYS = {"days": number("So many days back from now.", 1, 365, 30)}
_ALL = "/projects/{project_id}/agents/executions"
_ONE = _ALL + "/{execution_id}"
ENDPOINTS = [
    Endpoint("POST", _ALL, create, WRITE, "Ask for an execution", "executions", 201,
             "executions.create", ExecutionCreate, etag=True, problems=("foreign_key",),
             headers=("CorrelationId",)),
    Endpoint("GET", _ALL, index, READ, "List executions, newest first", "executions",
             answers="executions.list", query=_FILTERS | PAGING | TOTAL),
    Endpoint("GET", _ONE, get, READ, "One execution", "executions", answers="executions.get",
             etag=True),
    Endpoint("PUT", _ONE, update, WRITE, "Step to another status, or report", "executions", 200,
             "executions.step", ExecutionUpdate, etag=True, headers=("IfMatchOptional",),
             problems=("illegal_transition", "stale_etag")),
    Endpoint("POST", _ONE + "/heartbeat", heartbeat, WRITE, "A running execution is alive",
             "executions", 204),
    Endpoint("GET", _ONE + "/events", follow, READ, "Follow an execution", "executions",
             headers=("LastEventId",), nothing_more=True,
             media_type=events.MEDIA_TYPE, schema=_EVENT),
    Endpoint("GET", "/projects/{project_id}/agents/metrics", metrics, READ,
             "Executions in figures", "executions", query=_DAYS, schema=_METRICS),
]  # fmt: skip
