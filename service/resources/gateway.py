"""The way of a document: read, hold against the database, carry out, all in one transaction.

The number of statements does not depend on the number of forms: one waits for its turn, one answers
everything that validation must know, one carries out each effect that occurs, and four number the
operation and write the versions, the events and the operation down.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar
from uuid import UUID

import msgspec
import orjson

from service.database.session import Session
from service.database.tree import sql
from service.dsl.brackets import Limits
from service.dsl.facts import Facts, Needs
from service.dsl.findings import Finding
from service.dsl.planning import plan
from service.dsl.registry import Registry
from service.dsl.validation import Checked, check, made, understand
from service.dsl.values import encode
from service.http.problems import FieldError, Problem
from service.resources import writing
from service.resources.order import Order, Outcome, Refused, VersionConflict
from service.settings import Settings

T = TypeVar("T")
UNBOUNDED = Limits(2**30, 64, 2**30, 2**30)  # a rollback puts several documents together
_THREAD_FROM = 32 * 1024  # characters from which reading must not hold the loop up


def limits(settings: Settings) -> Limits:
    """What a document may be, from the settings."""
    return Limits(settings.dsl_max_bytes, settings.dsl_max_depth, settings.dsl_max_forms)


async def read(
    text: str, registry: Registry, bounds: Limits, *, case_id: str | None = None,
    strict: bool = True,
) -> Checked:  # fmt: skip
    """Syntax and vocabulary of a document."""

    def work() -> Checked:
        return understand(text, registry, limits=bounds, case_id=case_id, strict=strict)

    return await _beside(text, work)


async def _beside(text: str, work: Callable[[], T]) -> T:
    """Work on a document; on a long one in a thread, so that others are served meanwhile."""
    return await asyncio.to_thread(work) if len(text) > _THREAD_FROM else work()


async def ask(db: Session, project_id: UUID, wanted: Needs) -> Facts:
    """Everything that a document must know, by one statement."""
    claims = [
        {"number": c.number, "value": c.value, **c.attribute} for c in wanted.claims
    ]  # fmt: skip
    row = await db.one(
        sql.dsl.facts, project_id=project_id,
        case_ids=_storable(wanted.cases), entity_ids=_storable(wanted.entities | wanted.owned),
        document_ids=_storable(wanted.documents),
        attribute_ids=[UUID(one) for one in sorted(wanted.attribute_ids)],
        attribute_names=_storable(wanted.attribute_names), claims=encode(claims),
        owned=_storable(wanted.owned),
    )  # fmt: skip
    assert row is not None  # noqa: S101  (sub-selects always make a row)
    return msgspec.json.decode(row.body, type=Facts, strict=False)


def _storable(names: set[str]) -> list[str]:
    return sorted(name for name in names if "\0" not in name)


async def carry_out(
    db: Session, order: Order, registry: Registry, bounds: Limits, outcome: Outcome
) -> None:
    """Run a document inside the open transaction of `db` and fill `outcome`.

    Raises Refused, VersionConflict, Problem not_found without a live project or case, Failure.
    """
    with outcome.timed("parse"):
        checked = await read(
            order.text, registry, bounds, case_id=order.case_id, strict=order.strict
        )
        anew = order.again and _creates(checked, order.case_id)
        if anew:  # all that it is about is named in it
            checked = await read(order.text, registry, bounds, strict=order.strict)
        outcome.count = len(checked.program.forms)
    with outcome.timed("wait"):
        current = await _take_turn(db, order, checked)
    with outcome.timed("validate"):
        if order.again:
            await _reset(db, order, outcome)
        facts = await ask(db, order.project_id, checked.needs)
        if anew:  # emptied, so that its own case.create is as good as the first one
            facts.cases = {k: v for k, v in facts.cases.items() if k != order.case_id}
        outcome.findings = await _beside(order.text, lambda: check(checked, facts))
        if checked.errors:
            raise Refused(outcome.findings)
    with outcome.timed("plan"):
        planned = await _beside(order.text, lambda: plan(checked.bound, facts))
        if anew:
            writing.as_update(planned, str(order.case_id))
    with outcome.timed("execute"):
        await writing.write(db, order, checked, planned, current, outcome)


def _creates(checked: Checked, case_id: str | None) -> bool:
    return any(one.verb.effect == "case.create" and one.case_id == case_id for one in checked.bound)


async def _take_turn(db: Session, order: Order, checked: Checked) -> dict[str, int]:
    """Wait for the documents that speak of the same things; the versions of the cases then."""
    if await db.value(sql.projects.version, project_id=order.project_id) is None:
        raise Problem("not_found")
    wanted = checked.needs
    entities, documents = made(checked.bound)
    subjects = {
        str(subject) for one in checked.bound
        if (subject := one.slot("subject_id") or one.slot("entity_id")) is not None
    }  # fmt: skip
    cases = wanted.cases | ({order.case_id} if order.case_id is not None else set())
    named = cases | wanted.entities | wanted.owned | wanted.documents
    names = _storable(named | entities | documents | subjects)
    if names:
        await db.value(sql.cases.take_turn, project_id=order.project_id, names=names)
    if order.again:  # once more: what is registered for the case stands still only now
        await db.value(
            sql.cases.take_turn, project_id=order.project_id, names=names, anew=order.case_id
        )  # fmt: skip
    # a statement of its own, which sees what the ones before have committed
    rows = await db.fetch(
        sql.cases.lock, project_id=order.project_id, case_ids=_storable(cases)
    )  # fmt: skip
    current = {row["case_id"]: row["current_version"] for row in rows}
    _check_version(order, checked, current)
    return current


def _check_version(order: Order, checked: Checked, current: dict[str, int]) -> None:
    if order.case_id is not None and order.case_id not in current:
        raise Problem("not_found")
    if order.expected_version is None:
        return
    named = (one.case_id for one in checked.bound if one.case_id is not None)
    about = order.case_id or next(named, "")  # of several cases the first
    if current.get(about, 0) != order.expected_version:
        raise VersionConflict(about, current.get(about, 0))


async def _reset(db: Session, order: Order, outcome: Outcome) -> None:
    assert order.case_id is not None  # noqa: S101  (an order that is carried out again has one)
    rows = await db.fetch(sql.cases.reset, project_id=order.project_id, case_id=order.case_id)
    for row in rows:
        outcome.tally(row["of_table"], updated=row["updated"], deleted=row["deleted"])


def refusal(findings: list[Finding]) -> Problem:
    """The 422 of a document with errors."""
    errors = [FieldError("/dsl", f.code, f"{f.line}:{f.column}: {f.message}")
              for f in findings if f.severity == "error"]  # fmt: skip
    return Problem("invalid_document", errors=errors, extra={"findings": as_json(findings)})


def as_json(findings: list[Finding]) -> list[dict[str, Any]]:
    """Findings as every answer shows them."""
    return [msgspec.to_builtins(finding) for finding in findings]


async def record(db: Session, order: Order, outcome: str, told: Outcome) -> None:
    """Write down what came through the gateway; of what was not done, no rows and no versions."""
    done = outcome in ("committed", "dry_run")
    errors = [] if done else [f for f in told.findings if f.severity == "error"]
    assert told.operation_id is not None  # noqa: S101  (given before anything is written down)
    await db.execute(
        sql.dsl.record, project_id=order.project_id, operation_id=told.operation_id,
        kind=order.kind, case_id=order.case_id, outcome=outcome, dsl=order.text.replace("\0", ""),
        keep_text=told.keep_text and outcome == "committed", forms=told.count,
        errors=orjson.dumps(as_json(errors)), stages=orjson.dumps(told.stages),
        rows=orjson.dumps(told.rows if done else {}),
        cases=orjson.dumps(told.cases if done else []),
    )  # fmt: skip
