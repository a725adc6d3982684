"""From an instruction to rows: a generator proposes a document, somebody approves it, it runs.

Nothing runs that does not validate, whatever the generator is sure of; what is not sure enough is
kept, rejected by policy, so that it can be seen.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import msgspec
import orjson
import structlog
from msgspec import UNSET, Meta, UnsetType
from starlette.requests import Request
from starlette.responses import Response

from service.database.session import Row, Session
from service.database.tree import sql
from service.dsl.findings import Finding
from service.dsl.validation import check
from service.dsl.values import encode
from service.generation.drafting import Ask, Attribute, Draft, Generator, GeneratorFailed
from service.http.answers import Answer, entity, quoted
from service.http.context import context, session
from service.http.inputs import Body, body, one_of, path_uuid, query, raw_body
from service.http.paging import PAGING, listing
from service.http.problems import Problem
from service.http.routing import Endpoint
from service.resources import gateway
from service.resources.documents import require_project
from service.resources.dsl import FINDINGS, READ, WRITE, DslOptions, registry
from service.resources.execution import EXECUTE_PROBLEMS, EXECUTED, carry, told
from service.resources.order import Order

log = structlog.get_logger("quarry.generator")

TIMEOUT_MS = 60_000  # a model takes its time, and is asked again
_MOST_ATTRIBUTES = 2000
GENERATOR = "generator"  # among the process' extras


class Instruction(Body):
    """What is wanted, in plain words. `case_id`: the case that it is about; `auto`: run it at once
    when the generator is sure enough.
    """

    instruction: Annotated[str, Meta(min_length=1, max_length=20_000)]
    case_id: Annotated[str, Meta(min_length=1, max_length=200)] | UnsetType = UNSET
    auto: bool = False


class Rejection(Body):
    """Why not."""

    reason: Annotated[str, Meta(min_length=1, max_length=1000)] | UnsetType = UNSET


@dataclass(frozen=True, slots=True)
class Judged:
    """What the policy says of a draft."""

    status: str
    reason: str | None
    findings: list[Finding]


# proposing


async def think(request: Request) -> None:
    """Ask the generator; it may take long, and nothing of the database is held meanwhile."""
    project_id = path_uuid(request)
    wanted = await body(request, Instruction)
    await require_project(request, project_id)
    here = context(request)
    async with session(request) as db:
        known = await db.many(sql.dictionary.known, most=_MOST_ATTRIBUTES)
    case_id = None if wanted.case_id is UNSET else wanted.case_id
    attributes = msgspec.json.decode(known, type=list[Attribute])
    ask = Ask(wanted.instruction, await registry(request), attributes, case_id)
    generator: Generator = here.process.extras[GENERATOR]
    try:
        async with asyncio.timeout(here.remaining()):
            here.prepared = await generator.propose(ask)
    except GeneratorFailed as failed:
        log.warning("generator.failed", request_id=here.request_id, reason=str(failed))
        after = {"Retry-After": str(failed.retry_after)}
        raise Problem("generator_unavailable", str(failed), headers=after) from None
    except TimeoutError:
        raise Problem("deadline_exceeded", "The generator did not answer in time.") from None


async def generate(request: Request) -> Response:
    """A document for an instruction. It waits for approval, or is rejected by policy and says why;
    with `auto`, one that is sure enough runs at once.
    """
    project_id = path_uuid(request)
    wanted = await body(request, Instruction)
    if context(request).prepared is None:
        await think(request)
    draft: Draft = context(request).prepared
    judged = await _judge(request, project_id, draft)
    confidence = Decimal(str(round(draft.confidence, 4)))
    async with session(request) as db:
        row = await db.one(
            sql.proposals.create, project_id=project_id, instruction=wanted.instruction,
            generator=draft.generator, model=draft.model, dsl=draft.dsl, confidence=confidence,
            verdict=judged.status, reason=judged.reason,
            findings=orjson.dumps(gateway.as_json(judged.findings)),
        )  # fmt: skip
    if row is None:
        raise Problem("not_found")
    proposal_id = UUID(orjson.loads(row.body)["id"])
    executed: dict[str, Any] | None = None
    sure = draft.confidence >= context(request).process.settings.generate_auto_confidence
    if wanted.auto and sure and judged.status == "proposed":
        row, executed = await _execute(request, project_id, proposal_id, str(draft.dsl))
    location = f"/projects/{project_id}/dsl/proposals/{proposal_id}"
    return _answer(row, executed, 201, [(b"location", location.encode())])


async def _judge(request: Request, project_id: UUID, draft: Draft) -> Judged:
    if draft.dsl is None:
        return Judged("rejected", draft.reason, [])
    settings = context(request).process.settings
    checked = await gateway.read(draft.dsl, await registry(request), gateway.limits(settings))
    async with session(request) as db:
        facts = await gateway.ask(db, project_id, checked.needs)
    findings = check(checked, facts)
    if checked.errors:
        return Judged("rejected", "It does not validate: see findings.", findings)
    least = settings.generate_propose_confidence
    if draft.confidence < least:
        sure = round(draft.confidence, 4)
        reason = f"Rejected by policy: a confidence of {sure} is below {least}."
        return Judged("rejected", reason, findings)
    return Judged("proposed", draft.reason, findings)


# deciding


async def approve(request: Request) -> Response:
    """Run a proposal that waits: all of its forms or none, and the decision with them.

    A document that does not validate any more is refused as by execute; the proposal goes on
    waiting.
    """
    project_id, proposal_id = path_uuid(request), path_uuid(request, "proposal_id")
    found = await session(request).fetch(
        sql.proposals.waiting, project_id=project_id, proposal_id=proposal_id
    )
    if not found:
        raise Problem("not_found")
    if found[0]["status"] != "proposed" or found[0]["dsl"] is None:
        raise _decided()
    row, executed = await _execute(request, project_id, proposal_id, found[0]["dsl"])
    return _answer(row, executed, 200)


async def _execute(
    request: Request, project_id: UUID, proposal_id: UUID, dsl: str
) -> tuple[Row, dict[str, Any]]:
    """Carry a proposal out, decided upon in the same transaction."""
    decided: list[Row] = []

    async def decide(db: Session) -> None:
        decided.clear()
        order.operation_id = await db.value(sql.dsl.operation_id)
        row = await db.one(
            sql.proposals.decide, project_id=project_id, proposal_id=proposal_id,
            verdict="executed", operation_id=order.operation_id,
        )  # fmt: skip
        if row is None:
            raise _decided()
        decided.append(row)

    order = Order(dsl, project_id, kind="generate", first=decide)
    made = await carry(request, DslOptions(), order)
    return decided[0], told(made)


async def reject(request: Request) -> Response:
    """Turn a proposal down that waits."""
    project_id, proposal_id = path_uuid(request), path_uuid(request, "proposal_id")
    wanted = await body(request, Rejection) if await raw_body(request) else Rejection()
    reason = None if wanted.reason is UNSET else wanted.reason
    async with session(request) as db:
        row = await db.one(
            sql.proposals.decide, project_id=project_id, proposal_id=proposal_id,
            verdict="rejected", reason=reason,
        )  # fmt: skip
        if row is None:
            found = await db.one(sql.proposals.get, project_id=project_id, proposal_id=proposal_id)
            raise Problem("not_found") if found is None else _decided()
    return entity(row, request)


def _decided() -> Problem:
    return Problem("conflict", "The proposal does not wait for a decision, or not any more.")


# reading


async def index(request: Request) -> Response:
    """The proposals of a project, newest first."""
    asked, project_id = query(request), path_uuid(request)
    await require_project(request, project_id)
    return await listing(request, sql.proposals.list, project_id=project_id, status=asked["status"])


async def get(request: Request) -> Response:
    """One proposal."""
    project_id, proposal_id = path_uuid(request), path_uuid(request, "proposal_id")
    async with session(request) as db:
        row = await db.one(sql.proposals.get, project_id=project_id, proposal_id=proposal_id)
        return entity(row, request)


def _answer(
    row: Row, executed: dict[str, Any] | None, status: int,
    headers: list[tuple[bytes, bytes]] | None = None,
) -> Response:  # fmt: skip
    """The proposal, and what its execution did."""
    whole = row.body[:-1] + b',"execution":' + encode(executed) + b"}"
    etag = (b"etag", quoted(str(row.etag)).encode())
    return Answer(whole, status, [etag, *(headers or ())])


_TEXT_OR_NULL = {"type": ["string", "null"]}
_PROPOSAL: dict[str, Any] = {
    "type": "object",
    "required": ["id", "project_id", "instruction", "generator", "dsl", "confidence", "status",
                 "reason", "findings", "version", "execution"],
    "properties": {
        "id": {"type": "string", "format": "uuid"},
        "project_id": {"type": "string", "format": "uuid"},
        "instruction": {"type": "string"}, "generator": {"enum": ["rules", "llm"]},
        "model": _TEXT_OR_NULL, "dsl": _TEXT_OR_NULL,
        "confidence": {"type": "number", "minimum": 0, "maximum": 1},
        "status": {"enum": ["proposed", "rejected", "executed"]}, "reason": _TEXT_OR_NULL,
        "findings": FINDINGS, "decided_by": _TEXT_OR_NULL, "operation_id": _TEXT_OR_NULL,
        "version": {"type": "integer"},
        "created_at": {"type": "string", "format": "date-time"},
        "updated_at": {"type": "string", "format": "date-time"},
        "execution": {"anyOf": [{"type": "null"}, EXECUTED]},
    },
}  # fmt: skip
_DSL = "/projects/{project_id}/dsl"
_ONE = _DSL + "/proposals/{proposal_id}"
ENDPOINTS = [
    Endpoint("POST", _DSL + "/generate", generate, WRITE, "A document for an instruction", "dsl",
             201, body=Instruction, schema=_PROPOSAL, etag=True, timeout_ms=TIMEOUT_MS,
             prepare=think, problems=(*EXECUTE_PROBLEMS, "generator_unavailable")),
    Endpoint("GET", _DSL + "/proposals", index, READ, "The proposals, newest first", "dsl",
             answers="proposals.list",
             query={"status": one_of("Only this status.", "proposed", "rejected", "executed")}
             | PAGING),
    Endpoint("GET", _ONE, get, READ, "One proposal", "dsl", answers="proposals.get", etag=True),
    Endpoint("POST", _ONE + "/approve", approve, WRITE, "Run a proposal", "dsl", schema=_PROPOSAL,
             etag=True, timeout_ms=TIMEOUT_MS, problems=EXECUTE_PROBLEMS),
    Endpoint("POST", _ONE + "/reject", reject, WRITE, "Turn a proposal down", "dsl",
             answers="proposals.decide", body=Rejection, etag=True, problems=("conflict",)),
]  # fmt: skip
