"""Validation beyond the vocabulary: dictionary, references, state, business rules.

All layers run, whatever the ones before have found; each finding has its code and its place.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any

from service.dsl.binding import Bound, attribute_refs, bind, example
from service.dsl.brackets import Limits
from service.dsl.effects import INITIAL_STATE
from service.dsl.facts import (
    AttributeFact,
    CaseFact,
    Claim,
    Facts,
    Needs,
    needs,
    ownership,
    references,
)  # fmt: skip
from service.dsl.findings import Finding, Findings, Full, shown
from service.dsl.nodes import Program
from service.dsl.ownership import Link, cycles, merged, totals
from service.dsl.parser import parse
from service.dsl.registry import Registry, nearest

_NOT_FOUND = {
    "case-ref": ("CASE_NOT_FOUND", "case", "case.create :case-id"),
    "entity-ref": ("ENTITY_NOT_FOUND", "entity", "entity.register :entity-id"),
    "document-ref": ("DOCUMENT_NOT_FOUND", "document", "document.catalog :document-id"),
}
_STAGES = {1: "case.create", 2: "kyc.start", 3: "products.add", 4: "services.*"}
_WHOLE = 100


@dataclass(slots=True)
class Checked:
    """A document after syntax and vocabulary, ready to be held against facts."""

    program: Program
    bound: list[Bound]
    needs: Needs
    findings: Findings

    @property
    def errors(self) -> int:
        """How many errors there are so far."""
        return self.findings.errors


def understand(
    text: str, registry: Registry, *, limits: Limits | None = None, case_id: str | None = None,
    strict: bool = True,
) -> Checked:  # fmt: skip
    """Syntax and vocabulary of a document, and what must be asked to go on."""
    parsed = parse(text, limits)
    findings = Findings.of(text, parsed.findings)
    bound: list[Bound] = []
    with contextlib.suppress(Full):
        bound = bind(parsed.program, registry, findings, case_id=case_id, strict=strict)
    return Checked(parsed.program, bound, needs(parsed.program, bound), findings)


def check(checked: Checked, facts: Facts | None) -> list[Finding]:
    """All findings of a document by place; without facts those that it shows by itself."""
    findings = checked.findings
    bound = checked.bound
    with contextlib.suppress(Full):
        _dictionary(checked, facts)
        _fill(bound, facts, findings)
        _references(bound, facts, findings)
        _cases(bound, facts, findings)
        _transitions(bound, facts, findings)
        _order(bound, facts, findings)
        _ownership(bound, facts, findings)
        _evidence(bound, findings)
    return findings.sorted


# dictionary


def _dictionary(checked: Checked, facts: Facts | None) -> None:
    if facts is None:
        return
    findings = checked.findings
    by_id = {a.attribute_id: a for a in facts.attributes}
    by_name = {a.name: a for a in facts.attributes}
    defined = {one.slot("name") for one in checked.bound if one.verb.effect == "attribute.define"}
    for node, index in attribute_refs(checked.program):
        found = by_id.get(node.attribute_id)
        if found is None:
            what = f"the dictionary has no attribute {node.attribute_id}"
            findings.error("UNKNOWN_ATTRIBUTE", what, node.offset, node.length, index,
                           suggestion=_named(node.name, by_name))  # fmt: skip
        elif node.name and node.name != found.name:
            what = f"the attribute is called {found.name}"
            findings.warning("VALUE_MISMATCH", what, node.offset, node.length, index,
                             suggestion=f"@attr{{{node.attribute_id}:{found.name}}}")  # fmt: skip
    for claim in checked.needs.claims:
        _claim(claim, facts, by_id, by_name, defined, findings)


def _claim(
    claim: Claim, facts: Facts, by_id: dict[str, AttributeFact],
    by_name: dict[str, AttributeFact], defined: set[Any], findings: Findings,
) -> None:  # fmt: skip
    name, given = claim.attribute.get("name", ""), claim.attribute.get("attribute_id", "")
    found = by_id.get(given) if given else by_name.get(name)
    place = claim.node.offset, claim.node.length, claim.form
    if found is None:
        if name not in defined and not findings.has("UNKNOWN_ATTRIBUTE", claim.form):
            what = f"the dictionary has no attribute {shown(name or given)}"
            findings.error("UNKNOWN_ATTRIBUTE", what, claim.key.offset, claim.key.length,
                           claim.form, suggestion=nearest(name, by_name))  # fmt: skip
    elif reason := facts.misfits.get(claim.number):
        what = f"{found.name}: {reason}"
        findings.error("VALUE_MISMATCH", what, *place, expected=reason)


def _named(name: str, by_name: dict[str, AttributeFact]) -> str:
    found = by_name.get(name)
    return f"@attr{{{found.attribute_id}:{name}}}" if found is not None else ""


def _fill(bound: list[Bound], facts: Facts | None, findings: Findings) -> None:
    """What a form may leave to its case is taken from there."""
    named: dict[str, Any] = {}
    if facts is not None:
        named = {name: fact.entity_id for name, fact in facts.cases.items()}
    for one in bound:
        if one.verb.effect in ("case.create", "case.update") and one.slot("entity_id"):
            named[str(one.case_id)] = one.slot("entity_id")
        for spec in one.verb.arguments:
            if not spec.of_case or one.slot(spec.fills) is not None:
                continue
            found = named.get(str(one.case_id)) if spec.fills == "entity_id" else None
            if found is not None:
                one.filled[spec.fills] = found
            elif spec.required and not one.form.broken:
                findings.error(
                    "MISSING_ARGUMENT", f"{one.verb.name} needs :{spec.name}, as its case names "
                    "none", *one.place(), expected=f":{spec.name} {spec.type}",
                    suggestion=f":{spec.name} {example(spec)}",
                )  # fmt: skip


# references


def made(bound: list[Bound]) -> tuple[set[str], set[str]]:
    """The entities and documents that a document makes itself."""
    entities: set[str] = set()
    documents: set[str] = set()
    for one in bound:
        name = one.slot("entity_id") if one.verb.effect == "entity.upsert" else None
        if isinstance(name, str):
            entities.add(name)
        name = one.slot("document_id") if one.verb.effect == "document.put" else None
        if isinstance(name, str):
            documents.add(name)
    return entities, documents


def _references(bound: list[Bound], facts: Facts | None, findings: Findings) -> None:
    if facts is None or facts.stateless:
        return
    entities, documents = made(bound)
    known = {"entity-ref": facts.entities | entities, "document-ref": facts.documents | documents}
    for one in bound:
        for slot, given in one.given.items():
            for base, name, node in references(given):
                if base not in known or name in known[base]:
                    continue
                code, what, by = _NOT_FOUND[base]
                if slot == "evidence":
                    code, what = "EVIDENCE_NOT_FOUND", "document for the evidence"
                hint = nearest(name, sorted(known[base])[:200])
                findings.error(
                    code, f"there is no {what} {shown(name)}", node.offset, node.length, one.index,
                    suggestion=f'"{hint}"' if hint else f'({by} "{shown(name)}" …)',
                )  # fmt: skip


def _cases(bound: list[Bound], facts: Facts | None, findings: Findings) -> None:
    """Every form stands in a case that there is, where its effect wants one."""
    if facts is not None and facts.stateless:
        facts = None
    creators = [one for one in bound if one.verb.effect == "case.create"]
    created: set[str] = set()
    later = {one.case_id for one in creators}
    told: set[str] = set()
    for one in bound:
        name, place = one.case_id, one.place("case_id")
        if one.verb.effect == "case.create":
            if name in created or (facts is not None and name in facts.cases):
                findings.error("CASE_EXISTS", f"there is a case {shown(str(name))} already", *place,
                               suggestion="case.update")  # fmt: skip
            if name is not None:
                created.add(name)
        elif name is None:
            if one.effect.of_case and not one.form.broken:
                findings.error("MISSING_ARGUMENT", f"{one.verb.name} belongs to no case", *place,
                               expected=":case-id, or a case.create before it")  # fmt: skip
        elif name in created or (facts is not None and name in facts.cases):
            continue
        elif name in later:
            what = f"the case {shown(name)} is used before it is created"
            findings.error("ORDER", what, *place, suggestion="move case.create to the front")
        elif facts is not None and name not in told:
            told.add(name)
            hint = nearest(name, [*created, *sorted(facts.cases)])
            way = f'"{hint}"' if hint else f'(case.create :case-id "{shown(name)}" …)'
            findings.error("CASE_NOT_FOUND", f"there is no case {shown(name)}", *place,
                           suggestion=way)  # fmt: skip


# state and order


def _transitions(bound: list[Bound], facts: Facts | None, findings: Findings) -> None:
    if facts is None:
        return
    state = {name: fact.state for name, fact in facts.cases.items()}
    for one in bound:
        name = one.case_id
        if name is None:
            continue
        if one.verb.effect == "case.create":
            state.setdefault(name, INITIAL_STATE)
        wanted = one.slot("to_state")
        if one.verb.effect != "case.transition" or not isinstance(wanted, str):
            continue
        now = state.get(name)
        if now is None:
            continue
        if wanted not in facts.transitions.get(now, ()):
            allowed = facts.transitions.get(now, ())
            hint = nearest(wanted, allowed)
            findings.error(
                "ILLEGAL_TRANSITION", f"the case {shown(name)} cannot go from {now} to "
                f"{shown(wanted)}", *one.place("to_state"),
                expected=f"one of {', '.join(allowed)}" if allowed else f"nothing: {now} is final",
                suggestion=f'"{hint}"' if hint else "",
            )  # fmt: skip
        else:
            state[name] = wanted


def _order(bound: list[Bound], facts: Facts | None, findings: Findings) -> None:
    """No form of an earlier stage behind one of a later stage; none before its own has begun."""
    reached: dict[str, set[int]] = {}
    stated = {(one.case_id, one.verb.stage) for one in bound}  # told as an error if too late
    highest: dict[str, int] = {}
    for one in bound:
        stage, name = one.verb.stage, one.case_id
        if stage is None or name is None:
            continue
        before = reached.get(name)
        if before is None:
            fact = facts.cases.get(name) if facts is not None else None
            before = reached[name] = set(fact.stages if isinstance(fact, CaseFact) else ())
        last = highest.get(name, 0)
        if stage < last and one.verb.effect != "case.create":
            what = f"{one.verb.name} comes after {_STAGES.get(last, 'a later stage')}"
            findings.error("ORDER", what, *one.place(),
                           expected=f"{_STAGES.get(stage, one.verb.name)} before "
                           f"{_STAGES.get(last, 'it')}")  # fmt: skip
        elif (
            stage > 2 and facts is not None and not facts.stateless and stage - 1 not in before
            and (name, stage - 1) not in stated
        ):  # fmt: skip
            what = f"{one.verb.name} without {_STAGES.get(stage - 1)} before it"
            findings.warning("ORDER", what, *one.place(), expected=_STAGES.get(stage - 1, ""))
        before.add(stage)
        highest[name] = max(stage, last)


# business rules


def _ownership(bound: list[Bound], facts: Facts | None, findings: Findings) -> None:
    stated: list[tuple[Bound, Link]] = []
    for one in bound:
        if one.verb.effect != "entity.link":
            continue
        owner, owned = one.slot("from_entity"), one.slot("to_entity")
        if isinstance(owner, str) and owner == owned:
            findings.error("OWNERSHIP_CYCLE", f"{shown(owner)} is linked to itself",
                           *one.place("to_entity"))  # fmt: skip
            continue
        link = ownership(one)
        if link is None:
            continue
        if not 0 <= link.percent <= _WHOLE:
            findings.error("INVALID_OWNERSHIP_PERCENTAGE", f"{link.percent} % is no share",
                           *one.place("ownership_percent"), expected="0 to 100")  # fmt: skip
        else:
            stated.append((one, link))
    known = facts.links if facts is not None else []
    links = merged(known, [link for _, link in stated])
    sums = totals(links.values())
    for one, link in reversed(stated):
        total = sums.pop(link.owned, None)  # told once, where the last share is stated
        if total is not None and total > _WHOLE:
            findings.error(
                "OWNERSHIP_OVER_100", f"the owners of {shown(link.owned)} hold "
                f"{total:f} % together", *one.place("ownership_percent"), expected="at most 100 %",
                suggestion=f"{max(_WHOLE - total + link.percent, 0):f}%",
            )  # fmt: skip
    for group in cycles(links.values()):
        members = set(group)
        inside = [one for one, link in stated if {link.owner, link.owned} <= members]
        if inside:
            around = " → ".join(shown(name) for name in [*group[:6], group[0]])
            findings.warning("OWNERSHIP_CYCLE", f"a circle of ownership: {around}",
                             *inside[-1].place())  # fmt: skip


def _evidence(bound: list[Bound], findings: Findings) -> None:
    for one in bound:
        if one.slot("verification") == "verified" and not one.slot("evidence"):
            findings.error(
                "MISSING_EVIDENCE", f"{one.verb.name} says verified and gives no evidence",
                *one.place("verification"), expected=':evidence ["document-id" …]',
            )  # fmt: skip
