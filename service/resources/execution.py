"""Executing documents: one document, one transaction; every request is written down."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any
from uuid import UUID

from msgspec import UNSET
from starlette.requests import Request
from starlette.responses import Response

from service.database.errors import Failure
from service.database.session import Session
from service.database.tree import sql
from service.dsl.registry import Registry
from service.dsl.values import encode
from service.http.answers import Answer, parse_if_match, quoted
from service.http.context import context, session
from service.http.edge import HangUpWatch
from service.http.inputs import one_of, path_uuid, query
from service.http.paging import PAGING, listing
from service.http.problems import Problem
from service.http.routing import Endpoint
from service.resources import gateway
from service.resources.dsl import (
    ACCEPTS,
    FINDINGS,
    OPTIONS,
    READ,
    WRITE,
    DslDocument,
    DslOptions,
    document,
    registry,
)
from service.resources.gateway import Order, Outcome, Refused, VersionConflict

TIMEOUT_MS = 30_000
_NOTE_SECONDS = 5.0


async def execute(request: Request) -> Response:
    """Carry a document out: all forms or none."""
    text, options = await document(request)
    return await run(request, options, Order(text, path_uuid(request)))


async def run(request: Request, options: DslOptions, order: Order) -> Response:
    """Carry an order out in one transaction and answer what it did; write it down either way."""
    here = context(request)
    header = here.header(b"if-match")
    if header is not None:
        order.expected_version = parse_if_match(header)
    elif options.expected_version is not UNSET:
        order.expected_version = options.expected_version
    order.dry_run, order.strict = options.dry_run, options.strict
    if options.timeout_ms is not UNSET:
        here.deadline = min(here.deadline, here.started + options.timeout_ms / 1000)
    known = await registry(request)
    watch = HangUpWatch(request.receive, here)  # a client that goes away cancels its transaction
    try:
        made = await _transact(request, order, known)
    except Refused as refused:
        await _note(request, order, "refused", refused.findings, refused.forms)
        raise gateway.refusal(refused.findings) from None
    except VersionConflict as conflict:
        await _note(request, order, "conflict", [], 0)
        raise _conflict(conflict) from None
    except Failure:
        await _note(request, order, "failed", [], 0)
        raise
    finally:
        watch.stop()
    return _answer(made, order)


class _DryRun(Exception):
    """Rolls a transaction back that did all it should."""

    def __init__(self, made: Outcome) -> None:
        super().__init__()
        self.made = made


async def _transact(request: Request, order: Order, known: Registry) -> Outcome:
    here = context(request)
    bounds = gateway.limits(here.process.settings)

    async def work() -> Outcome:
        operation_id = await db.value(sql.dsl.operation_id)
        if order.change_kind in gateway.AGAIN and order.case_id is not None:
            await db.value(sql.cases.reset, project_id=order.project_id, case_id=order.case_id)
        made = await gateway.carry_out(db, order, known, bounds, operation_id)
        if order.dry_run:
            raise _DryRun(made)
        made.committed = True
        await gateway.record(db, order, "committed", made, [], len(made.forms))
        return made

    async with session(request) as db:
        db.deadline = min(db.deadline, here.deadline)
        try:
            return await db.atomically(work)
        except _DryRun as dry:
            made = dry.made
    await _note(request, order, "dry_run", [], len(made.forms), made)
    return made


async def _note(
    request: Request, order: Order, outcome: str, findings: Any, forms: int,
    made: Outcome | None = None,
) -> None:  # fmt: skip
    """Write down what was not committed, in a transaction of its own; at best, not at all costs."""
    here = context(request)
    assert here.principal is not None  # noqa: S101  (the outermost layer authenticates first)
    now = asyncio.get_running_loop().time()
    db = Session(here.process.engine, here.principal.identity, here.request_id, now + _NOTE_SECONDS)
    with contextlib.suppress(Failure):
        operation_id: UUID = await db.value(sql.dsl.operation_id)
        told = made or Outcome(operation_id)
        told.operation_id, told.keep_text = operation_id, False
        await gateway.record(db, order, outcome, told, findings, forms)


def _conflict(conflict: VersionConflict) -> Problem:
    detail = f"The case {conflict.case_id} has version {conflict.current}."
    about = {"case_id": conflict.case_id, "current_version": conflict.current}
    return Problem("version_conflict", detail, extra=about)


def _answer(made: Outcome, order: Order) -> Response:
    told = {
        "committed": made.committed, "operation_id": str(made.operation_id), "cases": made.cases,
        "forms": made.forms, "rows": made.rows, "findings": gateway.as_json(made.findings),
        "stages": made.stages,
    }  # fmt: skip
    own = [c["version"] for c in made.cases if order.case_id in (None, c["case_id"])]
    headers = [(b"etag", quoted(str(own[0])).encode())] if len(own) == 1 and made.committed else []
    return Answer(encode(told), 200, headers)


async def operations(request: Request) -> Response:
    """What came through the gateway, newest first."""
    asked, project_id = query(request), path_uuid(request)
    async with session(request) as db:
        if await db.value(sql.projects.version, project_id=project_id) is None:
            raise Problem("not_found")
    return await listing(
        request, sql.dsl.operations, project_id=project_id, outcome=asked["outcome"]
    )


_EFFECT = {
    "type": "object", "required": ["table", "inserted", "updated", "deleted"],
    "properties": {"table": {"type": "string"}, "inserted": {"type": "integer"},
                   "updated": {"type": "integer"}, "deleted": {"type": "integer"}},
}  # fmt: skip
EXECUTED: dict[str, Any] = {
    "type": "object",
    "required": ["committed", "operation_id", "cases", "forms", "findings"],
    "properties": {
        "committed": {"type": "boolean"}, "operation_id": {"type": "string", "format": "uuid"},
        "cases": {"type": "array", "items": {
            "type": "object", "required": ["case_id", "version"],
            "properties": {"case_id": {"type": "string"}, "version": {"type": "integer"}}}},
        "forms": {"type": "array", "items": {
            "type": "object", "required": ["form", "verb", "effects"],
            "properties": {"form": {"type": "integer"}, "verb": {"type": "string"},
                           "effects": {"type": "array", "items": _EFFECT}}}},
        "findings": FINDINGS, "rows": {"type": "object"}, "stages": {"type": "object"},
    },
}  # fmt: skip
EXECUTE_PROBLEMS = ("invalid_document", "version_conflict", "conflict", "duplicate")
_P = "/projects/{project_id}"
ENDPOINTS = [
    Endpoint("POST", _P + "/dsl/execute", execute, WRITE, "Carry a document out, all or nothing",
             "dsl", body=DslDocument, schema=EXECUTED, query=OPTIONS, timeout_ms=TIMEOUT_MS,
             problems=EXECUTE_PROBLEMS, accepts=ACCEPTS),
    Endpoint("GET", _P + "/dsl/operations", operations, READ, "What came through the gateway",
             "dsl", answers="dsl.operations",
             query={"outcome": one_of("Only this outcome.", "committed", "dry_run", "refused",
                                      "conflict", "failed")} | PAGING),
]  # fmt: skip
