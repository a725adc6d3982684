"""What a document must know of the world, and what the world answers.

`needs` says it before anything is asked, so that a handful of set-based statements can answer for
the whole document.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from msgspec import Struct

from service.dsl.binding import Bound, Given, attribute_refs
from service.dsl.nodes import Map, Node, Program, Value
from service.dsl.ownership import Link


class CaseFact(Struct, frozen=True):
    """A case as it stands. `stages`: what of onboarding it has been through."""

    case_id: str
    state: str
    version: int
    entity_id: str | None = None
    stages: tuple[int, ...] = ()


class AttributeFact(Struct, frozen=True):
    """An attribute of the dictionary."""

    attribute_id: str
    name: str


class Facts(Struct):
    """What the database said. Absent altogether (None), nothing is held against it."""

    cases: dict[str, CaseFact] = {}
    entities: frozenset[str] = frozenset()
    documents: frozenset[str] = frozenset()
    attributes: list[AttributeFact] = []
    misfits: dict[int, str] = {}  # claim → why its value does not fit its attribute
    links: list[Link] = []
    transitions: dict[str, tuple[str, ...]] = {}  # state → the states that may follow
    stateless: bool = False  # of no project: what is not there may be elsewhere


@dataclass(frozen=True, slots=True)
class Claim:
    """A value that is said to be an attribute's: held against mask and rules."""

    number: int
    attribute: dict[str, str]  # attribute_id or name
    value: Any
    node: Value
    key: Node  # where the attribute is named
    form: int


@dataclass(slots=True)
class Needs:
    """What must be asked."""

    cases: set[str] = field(default_factory=set)
    entities: set[str] = field(default_factory=set)
    documents: set[str] = field(default_factory=set)
    attribute_ids: set[str] = field(default_factory=set)
    attribute_names: set[str] = field(default_factory=set)
    claims: list[Claim] = field(default_factory=list)
    owned: set[str] = field(default_factory=set)


def needs(program: Program, bound: list[Bound]) -> Needs:
    """Everything that a document refers to or claims."""
    wanted = Needs()
    for node, _ in attribute_refs(program):
        wanted.attribute_ids.add(node.attribute_id)
    for one in bound:
        if one.case_id is not None:
            wanted.cases.add(one.case_id)
        for given in one.given.values():
            for base, name, _ in references(given):
                {"case-ref": wanted.cases, "entity-ref": wanted.entities,
                 "document-ref": wanted.documents}.get(base, set()).add(name)  # fmt: skip
        if one.verb.effect == "value.set":
            wanted.claims += claims(one, len(wanted.claims))
        if (link := ownership(one)) is not None:
            wanted.owned |= {link.owned, link.owner}
    for claim in wanted.claims:
        if called := claim.attribute.get("name"):
            wanted.attribute_names.add(called)
        if known := claim.attribute.get("attribute_id"):
            wanted.attribute_ids.add(known)
    return wanted


def references(given: Given) -> list[tuple[str, str, Value]]:
    """What an argument refers to: type of reference, id, node."""
    base = given.kind.base
    if base.endswith("-ref") and isinstance(given.value, str):
        return [(base, given.value, given.node)]
    item = given.kind.item
    if item is not None and item.base.endswith("-ref") and isinstance(given.value, list):
        nodes = getattr(given.node, "items", [])
        return [(item.base, value, node)
                for value, node in zip(given.value, nodes, strict=True)
                if isinstance(value, str)]  # fmt: skip
    return []


def claims(one: Bound, first: int) -> list[Claim]:
    """The values that a form binds to attributes."""
    made: list[Claim] = []
    attribute, value = one.given.get("attribute"), one.given.get("value")
    named = attribute is not None and isinstance(attribute.value, dict)
    if attribute is not None and named and value is not None and value.value is not None:
        made.append(Claim(first, attribute.value, value.value, value.node, attribute.node,
                          one.index))  # fmt: skip
    bindings = one.given.get("bindings")
    if bindings is not None and isinstance(bindings.node, Map):
        for entry in bindings.node.entries:
            key = {"name": entry.key}
            number = first + len(made)
            made.append(
                Claim(number, key, bindings.value[entry.key], entry.value, entry, one.index)
            )
    return made


def ownership(one: Bound) -> Link | None:
    """The ownership that a form states."""
    if one.verb.effect != "entity.link":
        return None
    owner, owned = one.slot("from_entity"), one.slot("to_entity")
    percent, kind = one.slot("ownership_percent"), one.slot("relationship_type")
    if not isinstance(percent, int | Decimal) or isinstance(percent, bool):
        return None
    if not (isinstance(owner, str) and isinstance(owned, str)):
        return None
    return Link(owner, owned, kind if isinstance(kind, str) else "", Decimal(percent))
