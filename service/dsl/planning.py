"""Forms to rows: grouped by effect, so that each group goes to the database as one statement.

Forms of one group that mean the same row are folded into one, the later over the earlier, as if
they had been carried out one after the other.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from service.dsl.binding import Bound
from service.dsl.facts import Facts

# The order in which groups are carried out, and what makes two rows of a group the same one;
# without such a key nothing is folded.
ORDER: dict[str, tuple[str, ...]] = {
    "attribute.define": ("name",),
    "case.create": ("case_id",),
    "case.update": ("case_id",),
    "entity.upsert": ("entity_id",),
    "document.put": ("case_id", "document_id"),
    "entity.link": ("from_entity", "to_entity", "relationship_type"),
    "role.assign": ("case_id", "entity_id", "role"),
    "product.set": ("case_id", "product"),
    "value.set": ("subject_kind", "subject_id", "attribute_id"),
    "case.transition": (),
    "event": (),
}
_LINKED = "linked"  # the relationship of a link that names none


@dataclass(slots=True)
class Group:
    """One effect's rows; `form` of a row is the one it came from, `folded` later form → row."""

    effect: str
    rows: list[dict[str, Any]] = field(default_factory=list)
    folded: list[tuple[int, int]] = field(default_factory=list)


@dataclass(slots=True)
class Plan:
    """What a document does: groups in order, and each form as an event."""

    groups: list[Group]
    events: list[dict[str, Any]]
    cases: dict[str, list[int]]  # the cases that it is about → their forms


def plan(bound: list[Bound], facts: Facts | None = None) -> Plan:
    """The rows of a validated document."""
    groups = {effect: Group(effect) for effect in ORDER}
    keyed: dict[str, dict[tuple[Any, ...], int]] = {effect: {} for effect in ORDER}
    names = {a.name: a.attribute_id for a in facts.attributes} if facts is not None else {}
    cases: dict[str, list[int]] = {}
    events = []
    for one in bound:
        if one.case_id is not None:
            cases.setdefault(one.case_id, []).append(one.index)
        events.append(_event(one))
        if one.verb.effect == "event":
            continue
        group = groups[one.verb.effect]
        for row in _rows(one, names):
            _fold(group, keyed[one.verb.effect], row)
    return Plan([group for group in groups.values() if group.rows], events, cases)


def _event(one: Bound) -> dict[str, Any]:
    return {
        "form": one.index, "case_id": one.case_id, "verb": one.verb.name,
        "effect": one.verb.effect, "stage": one.verb.stage, "arguments": _arguments(one),
    }  # fmt: skip


def _arguments(one: Bound) -> dict[str, Any]:
    return {slot: given.value for slot, given in one.given.items()} | one.extras


def _rows(one: Bound, names: dict[str, str]) -> list[dict[str, Any]]:
    row: dict[str, Any] = {"form": one.index, "case_id": one.case_id}
    row |= {slot: one.slot(slot) for slot in one.effect.slots}
    own = {*one.effect.slots, "case_id"}
    props = {slot: given.value for slot, given in one.given.items() if slot not in own}
    preset = {slot: value for slot, value in one.verb.preset.items() if slot not in own}
    row["props"] = preset | props | one.extras
    match one.verb.effect:
        case "product.set":
            return _products(row)
        case "value.set":
            return _values(row, names)
        case "entity.link":
            row["relationship_type"] = row["relationship_type"] or _LINKED
    return [row]


def _products(row: dict[str, Any]) -> list[dict[str, Any]]:
    one, many = row.pop("product"), row.pop("products") or []
    listed = many if isinstance(many, list) else [many]
    return [row | {"product": name} for name in dict.fromkeys([*([one] if one else []), *listed])]


def _values(row: dict[str, Any], names: dict[str, str]) -> list[dict[str, Any]]:
    """One row per attribute, its id looked up, its subject said."""
    attribute, value, bindings = row.pop("attribute"), row.pop("value"), row.pop("bindings")
    entity = row.pop("entity_id")
    if row["subject_id"] is None:
        row["subject_kind"] = "entity" if entity is not None else "case"
        row["subject_id"] = entity if entity is not None else row["case_id"]
    row["subject_kind"] = row["subject_kind"] or "entity"
    stated = list(bindings.items()) if isinstance(bindings, dict) else []
    rows = [row | {"attribute_id": names.get(name), "name": name, "value": v} for name, v in stated]
    if isinstance(attribute, dict):
        name = attribute.get("name")
        known = attribute.get("attribute_id") or names.get(str(name))
        rows.append(row | {"attribute_id": known, "name": name, "value": value})
    return rows


def _fold(group: Group, keyed: dict[tuple[Any, ...], int], row: dict[str, Any]) -> None:
    key = tuple(row.get(name) for name in ORDER[group.effect])
    if group.effect == "value.set" and row["attribute_id"] is None:
        key += (row["name"],)  # an attribute that this document defines has no id yet
    at = keyed.get(key) if key else None
    if at is None:
        keyed[key] = len(group.rows)
        group.rows.append(row)
        return
    first = group.rows[at]
    group.folded.append((row["form"], first["form"]))
    props = first["props"] | row["props"]
    said = {k: v for k, v in row.items() if v is not None and k != "form"}
    group.rows[at] = first | said | {"props": props}
