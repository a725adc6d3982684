"""Executing documents: one document, one transaction; every request is written down."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from msgspec import UNSET
from starlette.requests import Request
from starlette.responses import Response

from service.database.errors import Failure
from service.database.session import Session
from service.database.tree import sql
from service.dsl.findings import Finding
from service.dsl.registry import Registry
from service.dsl.values import encode
from service.http.answers import Answer, parse_if_match, quoted
from service.http.context import context, principal, session
from service.http.edge import HangUpWatch
from service.http.inputs import one_of, path_uuid, query
from service.http.paging import PAGING, listing
from service.http.problems import Problem, from_failure
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
from service.resources.order import Order, Outcome, Refused, VersionConflict

TIMEOUT_MS = 30_000
_NOTE_SECONDS = 5.0
_WATCH_AFTER = 0.1  # seconds until it is watched whether the client hangs up


async def execute(request: Request) -> Response:
    """Carry a document out: all forms or none."""
    text, options = await document(request)
    return await run(request, options, Order(text, path_uuid(request)))


async def run(request: Request, options: DslOptions, order: Order) -> Response:
    """Carry an order out in one transaction and answer what it did; write it down either way.

    Raises Problem invalid_document, version_conflict, not_found; Failure.
    """
    made = await carry(request, options, order)
    return _answer(made, order)


async def carry(request: Request, options: DslOptions, order: Order) -> Outcome:
    """The same without an answer."""
    here = context(request)
    header = here.header(b"if-match")
    if header is not None:
        order.expected_version = parse_if_match(header)
    elif options.expected_version is not UNSET:
        order.expected_version = options.expected_version
    order.dry_run, order.strict = options.dry_run, options.strict
    if options.timeout_ms is not UNSET and b"x-request-timeout-ms" not in here.headers:
        here.deadline = here.started + options.timeout_ms / 1000
    known = await registry(request)
    made = Outcome()
    watch = HangUpWatch(request.receive, here)  # a client that goes away cancels its transaction
    timer = asyncio.get_running_loop().call_later(_WATCH_AFTER, watch.start)
    try:
        await _transact(request, order, known, made)
    except Refused as refused:
        made.findings = refused.findings
        await _note(request, order, "refused", made)
        raise gateway.refusal(made.findings) from None
    except VersionConflict as conflict:
        await _note(request, order, "conflict", made)
        raise _conflict(conflict) from None
    except Failure as failure:
        made.findings = [_broken_off(from_failure(failure).code)]
        await _note(request, order, "failed", made)
        raise
    except asyncio.CancelledError:
        made.findings = [_broken_off("cancelled")]
        await _note(request, order, "failed", made)
        raise
    finally:
        timer.cancel()
        watch.stop()
    return made


class _DryRun(Exception):
    """Rolls a transaction back that did all it should."""


async def _transact(request: Request, order: Order, known: Registry, made: Outcome) -> None:
    here = context(request)
    bounds = gateway.limits(here.process.settings)
    if order.kind == "rollback":
        bounds = gateway.UNBOUNDED  # of documents that were accepted, each by itself

    async def work() -> None:
        made.clear()
        if order.first is not None:
            await order.first(db)
        await gateway.carry_out(db, order, known, bounds, made)
        if order.dry_run:
            raise _DryRun
        await gateway.record(db, order, "committed", made)

    async with session(request) as db:
        db.deadline = here.deadline
        try:
            await db.atomically(work)
        except _DryRun:
            await _note(request, order, "dry_run", made)
            return
    made.committed = True


async def _note(request: Request, order: Order, outcome: str, made: Outcome) -> None:
    """Write down what was not committed, in a transaction of its own; at best, not at all costs."""
    here = context(request)
    now = asyncio.get_running_loop().time()
    who = principal(request).identity
    db = Session(here.process.engine, who, here.request_id, now + _NOTE_SECONDS, here.queries)
    with contextlib.suppress(Failure):
        made.operation_id = await db.value(sql.dsl.operation_id)
        await gateway.record(db, order, outcome, made)


def _broken_off(code: str) -> Finding:
    """Why a document was not carried out although nothing is known to be wrong with it."""
    return Finding("error", code.upper(), "nothing was written", 1, 1, 0, 0, None)


def _conflict(conflict: VersionConflict) -> Problem:
    detail = f"The case {conflict.case_id} has version {conflict.current}."
    about = {"case_id": conflict.case_id, "current_version": conflict.current}
    return Problem("version_conflict", detail, extra=about)


def told(made: Outcome) -> dict[str, Any]:
    """What an answer says of a document that was carried out."""
    return {
        "committed": made.committed, "operation_id": str(made.operation_id), "cases": made.cases,
        "forms": made.forms, "rows": made.rows, "findings": gateway.as_json(made.findings),
        "stages": made.stages,
    }  # fmt: skip


def _answer(made: Outcome, order: Order) -> Response:
    own = [c["version"] for c in made.cases if order.case_id in (None, c["case_id"])]
    headers = [(b"etag", quoted(str(own[0])).encode())] if len(own) == 1 and made.committed else []
    return Answer(encode(told(made)), 200, headers)


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
             problems=EXECUTE_PROBLEMS, accepts=ACCEPTS, headers=("IfMatchVersion",)),
    Endpoint("GET", _P + "/dsl/operations", operations, READ, "What came through the gateway",
             "dsl", answers="dsl.operations",
             query={"outcome": one_of("Only this outcome.", "committed", "dry_run", "refused",
                                      "conflict", "failed")} | PAGING),
]  # fmt: skip
