"""The phases of a discovery: a job that may be killed at any moment and goes on where it was.

Each phase is one transaction. It takes the flow's advisory lock, so that one job at a time works on
a flow, looks whether the flow runs and in which phase, and lets set-based statements do the work.
The flow's row it locks only then, for a moment: so whoever pauses or cancels a flow never waits for
a phase. What the row says by then decides. A flow that runs or is paused keeps the work, noted in
the same transaction with what comes after; a paused one stays there. Where the flow was cancelled,
deleted, or sent back to an earlier phase, all of it is rolled back. So a phase has happened wholly
or not at all, whoever ends when.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from asyncpg.pgproto.pgproto import UUID

from service.database.session import Session
from service.database.tree import sql
from service.jobs.queue import Attempt, Kind, NotYet
from service.resources.suggestions import suggest
from service.settings import Settings

JOB = "discovery"
PHASES = ("validation", "mapping", "cleansing", "inventory", "conflicts", "dependencies",
          "technical_debt")  # fmt: skip
COMPLETED, WAITING = "completed", "waiting_for_approval"

Counts = dict[str, Any]
# what a phase did, and what it waits for (None: it is done)
Work = Callable[[Session, Mapping[str, Any], Settings], Awaitable[tuple[Counts, str | None]]]


# These change assets that other flows of the project change too: one at a time, so that none ever
# waits for rows of another one that waits for its own.
_ALONE = ("inventory", "dependencies", "technical_debt")


class _Overtaken(Exception):
    """The flow has gone another way while the phase ran: nothing of the phase may stay."""


def kind(settings: Settings) -> Kind:
    """Jobs of kind `discovery`; args: `flow_id`."""

    async def run(attempt: Attempt) -> None:
        flow_id = UUID(attempt.args["flow_id"])
        while await _phase(attempt, flow_id, settings):
            pass

    async def bury(attempt: Attempt, db: Session, reason: str) -> None:
        told = reason if reason.endswith(".") else "A phase could not be done; ask the operator."
        await db.execute(sql.pipeline.fail, flow_id=UUID(attempt.args["flow_id"]), message=told)

    return Kind(run, bury, settings.job_seconds)


async def _phase(attempt: Attempt, flow_id: UUID, settings: Settings) -> bool:
    """Do the flow's next phase. False: the job has ended with it. Raises NotYet."""
    db = attempt.session()
    try:
        async with db.transaction():
            await db.value(sql.pipeline.settings, seconds=int(settings.job_seconds))
            if not await db.value(sql.pipeline.lock_flow, flow_id=flow_id):
                raise NotYet("Another job works on the flow.")
            rows = await db.fetch(sql.pipeline.begin, flow_id=flow_id)
            flow = rows[0] if rows else None
            if flow is not None and flow["status"] == "initialized":
                await db.execute(sql.pipeline.start, flow_id=flow_id)
                return True
            if flow is None or flow["status"] != "running" or flow["current_phase"] not in PHASES:
                await attempt.finish(db)
                return False
            phase = flow["current_phase"]
            if phase in _ALONE and not await db.value(
                sql.pipeline.lock_project, project_id=flow["project_id"]
            ):
                raise NotYet("Another flow changes the assets of the project.")
            counts, waits_for = await _WORK[phase](db, flow, settings)
            goes_on = await _settle(db, flow, counts, waits_for)
            if not goes_on:
                await attempt.finish(db)
            return goes_on
    except _Overtaken:
        return False


async def _settle(
    db: Session, flow: Mapping[str, Any], counts: Counts, waits_for: str | None
) -> bool:
    """Note what the phase has come to; whether the flow goes on. Raises _Overtaken."""
    flow_id, phase = flow["id"], flow["current_phase"]
    # before the row that the note is in, as whoever takes a step does
    rows = await db.fetch(sql.pipeline.standing, flow_id=flow_id)
    status = rows[0]["status"] if rows and rows[0]["current_phase"] == phase else "gone"
    if status not in ("running", "paused"):
        raise _Overtaken
    await _note(db, flow, phase, counts, waits_for)
    following = PHASES.index(phase) + 1
    if waits_for is None and following < len(PHASES):
        await db.execute(sql.pipeline.advance, flow_id=flow_id, phase=PHASES[following])
        return bool(status == "running")
    if status == "paused":  # before what its phase has come to: once resumed, it is done again
        return False
    if waits_for is not None:
        await db.execute(
            sql.pipeline.stop, flow_id=flow_id, status=WAITING, phase=phase, reason=waits_for
        )
        return False
    await db.execute(
        sql.pipeline.stop, flow_id=flow_id, status=COMPLETED, phase=COMPLETED, reason=None
    )
    await _mark(db, flow, "processed")
    return False


async def _note(
    db: Session, flow: Mapping[str, Any], phase: str, counts: Counts, waits_for: str | None
) -> None:
    await db.execute(
        sql.pipeline.note, flow_id=flow["id"], project_id=flow["project_id"], phase=phase,
        state="completed" if waits_for is None else "waiting", counts=counts,
    )  # fmt: skip


async def _mark(db: Session, flow: Mapping[str, Any], status: str) -> None:
    await db.execute(sql.pipeline.mark_import, import_id=flow["data_import_id"], status=status)


def _import(flow: Mapping[str, Any]) -> dict[str, Any]:
    return {"import_id": flow["data_import_id"], "project_id": flow["project_id"]}


async def _validate(
    db: Session, flow: Mapping[str, Any], _settings: Settings
) -> tuple[Counts, None]:
    rows = await db.value(sql.pipeline.validate, **_import(flow))
    return {"rows_with_findings": rows}, None


async def _map(
    db: Session, flow: Mapping[str, Any], settings: Settings
) -> tuple[Counts, str | None]:
    columns = {column["name"]: column for column in flow["profile"]["columns"]}
    suggestions = suggest(flow["header"], columns)
    made = await db.execute(sql.pipeline.suggest, **_import(flow), suggestions=suggestions)
    (gate,) = await db.fetch(sql.pipeline.gate, **_import(flow))
    counts = {"columns": gate["columns"], "approved": gate["approved"], "suggested": made}
    if not gate_is_open(gate["approved"], gate["columns"], settings):
        return counts, told_of_gate(gate["approved"], gate["columns"], settings)
    await _mark(db, flow, "mapped")
    return counts, None


def gate_is_open(approved: int, columns: int, settings: Settings) -> bool:
    """Whether enough columns have an approved mapping to go on."""
    return approved * 100 >= settings.mapping_approved_percent * columns


def told_of_gate(approved: int, columns: int, settings: Settings) -> str:
    """What the flow waits for, as its caller is told."""
    return (
        f"{approved} of {columns} columns have an approved mapping; "
        f"it takes {settings.mapping_approved_percent:g} %."
    )


async def _cleanse(
    db: Session, flow: Mapping[str, Any], _settings: Settings
) -> tuple[Counts, None]:
    rows = await db.execute(sql.pipeline.cleanse, **_import(flow), category=flow["category"])
    return {"rows": rows}, None


async def _take_inventory(
    db: Session, flow: Mapping[str, Any], _settings: Settings
) -> tuple[Counts, None]:
    """Rows become assets, go into assets, or become conflicts.

    A pass makes assets of the rows that are the first of their kind, then matches the others. Who
    is like neither was second to a row that went into another asset, and is the first of its kind
    in the next pass. Each pass settles the first row that is left, so they come to an end.
    """
    await db.execute(sql.pipeline.refuse, **_import(flow))
    passes = 0
    while True:
        passes += 1
        led = await db.value(
            sql.pipeline.lead, **_import(flow), flow_id=flow["id"],
            discovery_flow_id=flow["discovery_flow_id"],
        )  # fmt: skip
        matched = await db.value(sql.pipeline.match, **_import(flow), flow_id=flow["id"])
        if not led and not matched:
            break
    outcomes = await db.value(sql.pipeline.outcomes, **_import(flow))
    return {**outcomes, "passes": passes}, None


async def _wait_for_conflicts(
    db: Session, flow: Mapping[str, Any], _settings: Settings
) -> tuple[Counts, str | None]:
    conflicts = await db.value(
        sql.pipeline.open_conflicts, project_id=flow["project_id"], flow_id=flow["id"]
    )
    return {"open": conflicts}, told_of_conflicts(conflicts) if conflicts else None


def told_of_conflicts(conflicts: int) -> str:
    """What the flow waits for, as its caller is told."""
    return f"{conflicts} conflicts are not resolved."


async def _depend(db: Session, flow: Mapping[str, Any], _settings: Settings) -> tuple[Counts, None]:
    return {"dependencies": await db.execute(sql.pipeline.depend, **_import(flow))}, None


async def _assess(db: Session, flow: Mapping[str, Any], _settings: Settings) -> tuple[Counts, None]:
    return {"assets": await db.execute(sql.pipeline.assess, **_import(flow))}, None


_WORK: dict[str, Work] = {
    "validation": _validate, "mapping": _map, "cleansing": _cleanse,
    "inventory": _take_inventory, "conflicts": _wait_for_conflicts, "dependencies": _depend,
    "technical_debt": _assess,
}  # fmt: skip
