"""The way of a document: read, hold against the database, carry out, all in one transaction.

The number of statements does not depend on the number of forms: one locks the cases, one answers
everything that validation must know, one carries out each effect that occurs, and three write the
versions, the events and the operation down.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any
from uuid import UUID

import msgspec
import orjson

from service.database.errors import Failure, Kind
from service.database.session import Session
from service.database.tree import sql
from service.dsl.brackets import Limits
from service.dsl.facts import Facts, Needs
from service.dsl.findings import Finding
from service.dsl.nodes import Form, Program
from service.dsl.planning import ORDER, Plan, plan
from service.dsl.registry import Registry
from service.dsl.validation import Checked, check, understand
from service.dsl.values import encode
from service.http.problems import FieldError, Problem
from service.settings import Settings

AGAIN = ("rollback", "replace")  # versions that stand for all that came before them
_THREAD_FROM = 32 * 1024  # characters from which reading must not hold the loop up

# effect → table, query, the columns of its answer that tell which row it was
_STATEMENTS: dict[str, tuple[str, Any, tuple[str, ...]]] = {
    "attribute.define": ("dictionary", sql.dictionary.define, ("name",)),
    "case.create": ("cases", sql.cases.create, ("case_id",)),
    "case.update": ("cases", sql.cases.update, ("case_id",)),
    "entity.upsert": ("entities", sql.entities.upsert, ("entity_id",)),
    "document.put": ("case_documents", sql.cases.put_documents, ("case_id", "document_id")),
    "entity.link": (
        "entity_links", sql.entities.link, ("from_entity", "to_entity", "relationship_type"),
    ),
    "role.assign": ("case_roles", sql.cases.assign_roles, ("case_id", "entity_id", "role")),
    "product.set": ("case_products", sql.cases.set_products, ("case_id", "product")),
    "value.set": (
        "attribute_values", sql.dictionary.set_values,
        ("subject_kind", "subject_id", "attribute_id"),
    ),
}  # fmt: skip

# what the database refuses although validation let it pass: another one was quicker
_REFUSALS = {
    "entity_links_ownership_sum": "OWNERSHIP_OVER_100",
    "entity_links_ownership_percent_range": "INVALID_OWNERSHIP_PERCENTAGE",
    "entity_links_evidence_given": "MISSING_EVIDENCE",
    "entity_links_ends_differ": "OWNERSHIP_CYCLE",
    "entity_links_from_entity_fkey": "ENTITY_NOT_FOUND",
    "entity_links_to_entity_fkey": "ENTITY_NOT_FOUND",
    "case_roles_entity_id_fkey": "ENTITY_NOT_FOUND",
    "case_documents_entity_id_fkey": "ENTITY_NOT_FOUND",
    "cases_case_id_key": "CASE_EXISTS",
    "attribute_values_value_fits": "VALUE_MISMATCH",
    "attribute_values_attribute_fkey": "UNKNOWN_ATTRIBUTE",
}


@dataclass(slots=True)
class Order:
    """What to do with a document. `case_id`: the case that it is appended to."""

    text: str
    project_id: UUID
    kind: str = "execute"
    case_id: str | None = None
    expected_version: int | None = None
    dry_run: bool = False
    strict: bool = True
    change_kind: str | None = None  # of versions after the first; append when None
    base_version: int | None = None


@dataclass(slots=True)
class Outcome:
    """What became of a document."""

    operation_id: UUID
    committed: bool = False
    forms: list[dict[str, Any]] = field(default_factory=list)
    cases: list[dict[str, Any]] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    rows: dict[str, dict[str, int]] = field(default_factory=dict)
    stages: dict[str, float] = field(default_factory=dict)
    keep_text: bool = False


class Refused(Exception):
    """The document has errors: `findings`. Nothing was written."""

    def __init__(self, findings: list[Finding], forms: int) -> None:
        super().__init__(f"{len(findings)} findings")
        self.findings = findings
        self.forms = forms


class VersionConflict(Exception):
    """The case has another version than expected."""

    def __init__(self, case_id: str, current: int) -> None:
        super().__init__(f"{case_id} has version {current}")
        self.case_id = case_id
        self.current = current


def limits(settings: Settings) -> Limits:
    """What a document may be, from the settings."""
    return Limits(settings.dsl_max_bytes, settings.dsl_max_depth, settings.dsl_max_forms)


async def read(
    text: str, registry: Registry, bounds: Limits, *, case_id: str | None = None,
    strict: bool = True,
) -> Checked:  # fmt: skip
    """Syntax and vocabulary; a long text in a thread, so that others are served meanwhile."""

    def work() -> Checked:
        return understand(text, registry, limits=bounds, case_id=case_id, strict=strict)

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
    db: Session, order: Order, registry: Registry, bounds: Limits, operation_id: UUID
) -> Outcome:
    """Run a document inside the open transaction of `db`.

    Raises Refused, VersionConflict, Problem not_found without a live project, Failure.
    """
    outcome = Outcome(operation_id)
    with _timed(outcome, "parse"):
        checked = await read(
            order.text, registry, bounds, case_id=order.case_id, strict=order.strict
        )
        again = order.change_kind in AGAIN and _creates(checked, order.case_id)
        if again:  # all that it is about is named in it
            checked = await read(order.text, registry, bounds, strict=order.strict)
    with _timed(outcome, "validate"):
        await _require_project(db, order.project_id)
        locked = await db.fetch(
            sql.cases.lock, project_id=order.project_id, case_ids=_storable(checked.needs.cases)
        )
        current = {row["case_id"]: row["current_version"] for row in locked}
        _check_version(order, current)
        facts = await ask(db, order.project_id, checked.needs)
        if again:  # emptied, so that its own case.create is as good as the first one
            facts.cases = {k: v for k, v in facts.cases.items() if k != order.case_id}
        outcome.findings = check(checked, facts)
        if checked.errors:
            raise Refused(outcome.findings, len(checked.program.forms))
    with _timed(outcome, "plan"):
        made = plan(checked.bound, facts)
        if again:
            _as_update(made, str(order.case_id))
    with _timed(outcome, "execute"):
        try:
            await _execute(db, order, checked, made, current, outcome)
        except Failure as failure:
            raise _explained(failure, len(checked.program.forms)) from failure
    return outcome


def _creates(checked: Checked, case_id: str | None) -> bool:
    return any(one.verb.effect == "case.create" and one.case_id == case_id for one in checked.bound)


async def _require_project(db: Session, project_id: UUID) -> None:
    if await db.value(sql.projects.version, project_id=project_id) is None:
        raise Problem("not_found")


def _check_version(order: Order, current: dict[str, int]) -> None:
    if order.expected_version is None:
        return
    if order.case_id is not None:
        about = order.case_id
        if about not in current:
            raise Problem("not_found")
    else:
        about, _ = next(iter(current.items()), ("", 0))
    if current.get(about, 0) != order.expected_version:
        raise VersionConflict(about, current.get(about, 0))


async def _execute(
    db: Session, order: Order, checked: Checked, made: Plan, current: dict[str, int],
    outcome: Outcome,
) -> None:  # fmt: skip
    effects: dict[int, dict[str, dict[str, int]]] = {}
    for group in made.groups:
        if group.effect == "case.transition":
            table, told = "cases", await _move(db, order, group.rows)
        else:
            table, told = await _write(db, order, group.effect, group.rows)
        for form, inserted, updated in told:
            _count(effects, outcome, form, table, inserted, updated)
        for form, _ in group.folded:
            _count(effects, outcome, form, table, 0, 0)
    versions = _versions(order, checked, made, current)
    if versions:
        await db.execute(
            sql.cases.append, project_id=order.project_id, operation_id=outcome.operation_id,
            rows=encode(versions),
        )  # fmt: skip
    outcome.rows["case_versions"] = _tally(len(versions), 0)
    outcome.keep_text = not versions
    numbers = {row["case_id"]: row["version"] for row in versions}
    outcome.cases = [{"case_id": name, "version": numbers[name]} for name in made.cases]
    outcome.forms = [
        {"form": e["form"], "verb": e["verb"], "effects": _listed(effects.get(e["form"], {}))}
        for e in made.events
    ]
    events = [
        event | {"version": numbers.get(event["case_id"]), "effects": form["effects"]}
        for event, form in zip(made.events, outcome.forms, strict=True)
    ]
    noted = await db.execute(
        sql.cases.note_events, project_id=order.project_id, operation_id=outcome.operation_id,
        rows=encode(events),
    )  # fmt: skip
    outcome.rows["case_events"] = _tally(noted, 0)
    for told_form in outcome.forms:
        told_form["effects"].append({"table": "case_events", **_tally(1, 0)})


def _tally(inserted: int, updated: int) -> dict[str, int]:
    return {"inserted": inserted, "updated": updated, "deleted": 0}


def _listed(tables: dict[str, dict[str, int]]) -> list[dict[str, Any]]:
    return [{"table": table, **counts} for table, counts in tables.items()]


def _count(
    effects: dict[int, dict[str, dict[str, int]]], outcome: Outcome, form: int, table: str,
    inserted: int, updated: int,
) -> None:  # fmt: skip
    for tables in (effects.setdefault(form, {}), outcome.rows):
        counts = tables.setdefault(table, _tally(0, 0))
        counts["inserted"] += inserted
        counts["updated"] += updated


async def _write(
    db: Session, order: Order, effect: str, rows: list[dict[str, Any]]
) -> tuple[str, Iterator[tuple[int, int, int]]]:
    """One statement for all forms of an effect; its table, and per form the rows it changed."""
    table, query, key = _STATEMENTS[effect]
    about = {} if effect == "attribute.define" else {"project_id": order.project_id}
    changed = await db.fetch(query, **about, rows=encode(rows))
    forms = {tuple(str(row[name]) for name in ORDER[effect]): row["form"] for row in rows}
    # an attribute that this document defines had no id yet when the row was planned
    by_name = next((row["form"] for row in rows if row.get("attribute_id") is None), 0)

    def told() -> Iterator[tuple[int, int, int]]:
        for row in changed:
            form = forms.get(tuple(str(row[name]) for name in key), by_name)
            yield form, int(row["inserted"]), int(not row["inserted"])

    return table, told()


async def _move(
    db: Session, order: Order, rows: list[dict[str, Any]]
) -> Iterator[tuple[int, int, int]]:
    moved = await db.fetch(sql.cases.transition, project_id=order.project_id, rows=encode(rows))
    return ((row["form"], 0, row["updated"]) for row in moved)


def _as_update(made: Plan, case_id: str) -> None:
    """The case is there, emptied: creating it again is an update of it."""
    for group in made.groups:
        if group.effect == "case.create" and [row["case_id"] for row in group.rows] == [case_id]:
            group.effect = "case.update"


def _versions(
    order: Order, checked: Checked, made: Plan, current: dict[str, int]
) -> list[dict[str, Any]]:
    """The next version of each case that the document is about."""
    forms = {form.index: form for form in checked.program.forms}
    whole = len(made.cases) <= 1
    loose = [i for i in forms if all(i not in own for own in made.cases.values())]
    versions = []
    for place, (name, own) in enumerate(made.cases.items()):
        last = current.get(name, 0)
        chosen = sorted([*own, *loose] if place == 0 else own)
        dsl = order.text if whole else _part(order.text, [forms[i] for i in chosen])
        ast: Any = checked.program if whole else Program([forms[i] for i in chosen])
        versions.append({
            "case_id": name, "version": last + 1, "dsl": dsl,
            "ast": msgspec.to_builtins(ast),
            "change_kind": (order.change_kind or "append") if last else "new",
            "base_version": order.base_version if last else None,
        })  # fmt: skip
    return versions


def _part(text: str, forms: list[Form]) -> str:
    return "\n".join(text[form.offset : form.offset + form.length] for form in forms) + "\n"


def _explained(failure: Failure, forms: int) -> Exception:
    """A refusal by the database as a finding, where it is one about the document."""
    code = _REFUSALS.get(failure.constraint)
    if failure.kind is Kind.TRANSITION:
        code = "ILLEGAL_TRANSITION"
    if code is None:
        return failure
    return Refused([Finding("error", code, str(failure), 1, 1, 0, 0, None)], forms)


@contextmanager
def _timed(outcome: Outcome, stage: str) -> Iterator[None]:
    started = perf_counter()
    try:
        yield
    finally:
        outcome.stages[stage] = round((perf_counter() - started) * 1000, 3)


def refusal(findings: list[Finding]) -> Problem:
    """The 422 of a document with errors."""
    errors = [FieldError("/dsl", f.code, f"{f.line}:{f.column}: {f.message}")
              for f in findings if f.severity == "error"]  # fmt: skip
    return Problem("invalid_document", errors=errors, extra={"findings": as_json(findings)})


def as_json(findings: list[Finding]) -> list[dict[str, Any]]:
    """Findings as every answer shows them."""
    return [msgspec.to_builtins(finding) for finding in findings]


async def record(
    db: Session, order: Order, outcome: str, made: Outcome, errors: list[Finding], forms: int
) -> None:
    """Write down what came through the gateway."""
    await db.execute(
        sql.dsl.record, project_id=order.project_id, operation_id=made.operation_id,
        kind=order.kind, outcome=outcome, dsl=order.text.replace("\0", ""),
        keep_text=made.keep_text, forms=forms, errors=orjson.dumps(as_json(errors)),
        stages=orjson.dumps(made.stages), rows=orjson.dumps(made.rows),
        cases=orjson.dumps(made.cases),
    )  # fmt: skip
