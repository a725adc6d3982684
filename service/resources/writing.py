"""A planned document to rows: one statement for each effect, and what each one really changed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

import msgspec

from service.database.errors import Failure, Kind
from service.database.session import Session
from service.database.tree import sql
from service.dsl.findings import Finding
from service.dsl.nodes import Form, Program
from service.dsl.planning import ORDER, Group, Plan
from service.dsl.validation import Checked
from service.dsl.values import encode
from service.resources.order import Order, Outcome, Refused

_Told = Iterable[tuple[int, int, int]]  # form, inserted, updated
_Counts = dict[int, dict[str, dict[str, int]]]  # form → table → rows

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

# what the database refuses although validation let it pass: it knows more, or another was quicker
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
    "attribute_values_resolved_has_value": "VALUE_MISMATCH",
    "attribute_values_attribute_fkey": "UNKNOWN_ATTRIBUTE",
}
_WRONG_VALUE = (Kind.CHECK, Kind.INVALID)


def as_update(planned: Plan, case_id: str) -> None:
    """The case is there, emptied: creating it again is an update of it."""
    for place, group in enumerate(planned.groups):
        if group.effect != "case.create":
            continue
        own = [row for row in group.rows if row["case_id"] == case_id]
        group.rows = [row for row in group.rows if row["case_id"] != case_id]
        planned.groups.insert(place + 1, Group("case.update", own))
        break
    planned.groups = [group for group in planned.groups if group.rows]


async def write(
    db: Session, order: Order, checked: Checked, planned: Plan, current: dict[str, int],
    outcome: Outcome,
) -> None:  # fmt: skip
    """Carry a plan out, number the operation, write versions and events.

    Raises Refused for what the database finds wrong with the document, Failure.
    """
    counts: _Counts = {}
    defined: dict[str, str] = {}
    for group in planned.groups:
        try:
            if group.effect == "case.transition":
                table, told = "cases", await _move(db, order, group.rows)
            else:
                table, told = await _change(db, order, group, defined)
        except Failure as failure:
            raise _explained(failure, checked, group) from failure
        for form, inserted, updated in told:
            outcome.tally(table, inserted, updated)
            _count(counts, form, table, inserted, updated)
        for form, _ in group.folded:
            _count(counts, form, table, 0, 0)
    # only now, with all rows locked: the order of the ids is an order in which the documents can be
    # carried out again
    operation_id: UUID = order.operation_id or await db.value(sql.dsl.operation_id)
    outcome.operation_id = operation_id
    versions = _versions(order, checked, planned, current)
    if versions:
        await db.execute(
            sql.cases.append, project_id=order.project_id, operation_id=operation_id,
            rows=encode(versions),
        )  # fmt: skip
    outcome.tally("case_versions", len(versions))
    outcome.keep_text = len(versions) != 1
    numbers = {row["case_id"]: row["version"] for row in versions}
    outcome.cases = [{"case_id": name, "version": numbers[name]} for name in planned.cases]
    await _note_events(db, order, planned, numbers, counts, operation_id, outcome)


async def _note_events(
    db: Session, order: Order, planned: Plan, numbers: dict[str, int], counts: _Counts,
    operation_id: UUID, outcome: Outcome,
) -> None:  # fmt: skip
    outcome.forms = [
        {"form": e["form"], "verb": e["verb"], "effects": _listed(counts.get(e["form"], {}))}
        for e in planned.events
    ]
    events = [
        event | {"version": numbers.get(event["case_id"]), "effects": form["effects"]}
        for event, form in zip(planned.events, outcome.forms, strict=True)
    ]
    rows = await db.fetch(
        sql.cases.note_events, project_id=order.project_id, operation_id=operation_id,
        rows=encode(events),
    )  # fmt: skip
    noted = {row["form"] for row in rows}
    outcome.tally("case_events", len(noted))
    for told in outcome.forms:
        told["effects"].append(_effect("case_events", int(told["form"] in noted)))


def _effect(table: str, inserted: int = 0, updated: int = 0) -> dict[str, Any]:
    return {"table": table, "inserted": inserted, "updated": updated, "deleted": 0}


def _listed(tables: dict[str, dict[str, int]]) -> list[dict[str, Any]]:
    return [_effect(table, **counts) for table, counts in tables.items()]


def _count(counts: _Counts, form: int, table: str, inserted: int, updated: int) -> None:
    counted = counts.setdefault(form, {}).setdefault(table, {"inserted": 0, "updated": 0})
    counted["inserted"] += inserted
    counted["updated"] += updated


async def _change(
    db: Session, order: Order, group: Group, defined: dict[str, str]
) -> tuple[str, _Told]:
    """One statement for all forms of an effect; its table, and per form the rows it changed.

    `defined`: the attributes that this document defines, whose ids it does not know itself.
    """
    table, query, key = _STATEMENTS[group.effect]
    rows = group.rows
    if group.effect == "value.set":
        rows = [r | {"attribute_id": r["attribute_id"] or defined.get(r["name"])} for r in rows]
    about = {} if group.effect == "attribute.define" else {"project_id": order.project_id}
    changed = await db.fetch(query, **about, rows=encode(rows))
    if group.effect == "attribute.define":
        defined |= {row["name"]: str(row["attribute_id"]) for row in changed}
    forms = {tuple(str(row[name]) for name in ORDER[group.effect]): row["form"] for row in rows}
    return table, [
        (forms[tuple(str(row[name]) for name in key)], int(row["inserted"]),
         int(not row["inserted"]))
        for row in changed
    ]  # fmt: skip


async def _move(db: Session, order: Order, rows: list[dict[str, Any]]) -> _Told:
    moved = await db.fetch(sql.cases.transition, project_id=order.project_id, rows=encode(rows))
    return [(row["form"], 0, row["updated"]) for row in moved]


def _versions(
    order: Order, checked: Checked, planned: Plan, current: dict[str, int]
) -> list[dict[str, Any]]:
    """The next version of each case that the document is about."""
    forms = {form.index: form for form in checked.program.forms}
    whole = len(planned.cases) <= 1
    of_cases = {index for own in planned.cases.values() for index in own}
    loose = [index for index in forms if index not in of_cases]
    versions = []
    for place, (name, own) in enumerate(planned.cases.items()):
        last = current.get(name, 0)
        chosen = [forms[i] for i in sorted([*own, *loose] if place == 0 else own)]
        program = checked.program if whole else Program(list(chosen))
        versions.append({
            "case_id": name, "version": last + 1,
            "dsl": order.text if whole else _part(order.text, chosen),
            "ast": msgspec.to_builtins(program),
            "change_kind": _change_kind(order, name) if last else "new",
            "base_version": order.base_version if last and name == order.case_id else None,
        })  # fmt: skip
    return versions


def _change_kind(order: Order, case_id: str) -> str:
    """Only the case that a document was sent to is replaced or taken back by it."""
    return order.change_kind or "append" if case_id == order.case_id else "append"


def _part(text: str, forms: list[Form]) -> str:
    return "\n".join(text[form.offset : form.offset + form.length] for form in forms) + "\n"


def _explained(failure: Failure, checked: Checked, group: Group) -> Exception:
    """A refusal by the database as a finding, where it is one about the document."""
    code = _REFUSALS.get(failure.constraint)
    if failure.kind is Kind.TRANSITION:
        code = "ILLEGAL_TRANSITION"
    elif code is None and failure.kind in _WRONG_VALUE:
        code = "WRONG_TYPE"
    if code is None:
        return failure
    forms = {form.index: form for form in checked.program.forms}
    form = forms[group.rows[0]["form"]]
    what = str(failure)
    if code == "WRONG_TYPE":
        what = f"a value is too long or of another shape: {failure.constraint or 'out of range'}"
    if len(group.rows) > 1:
        what = f"one of the {group.effect} forms from here on: {what}"
    checked.findings.error(code, what, form.verb_offset, len(form.verb), form.index)
    found: list[Finding] = checked.findings.sorted
    return Refused(found)
