"""The vocabulary: which verb a form means, which arguments it has, of which type their values are.

A form comes out bound: slots with plain values, and whatever the verb does not know beside them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from service.dsl.effects import EFFECTS, Effect
from service.dsl.findings import Findings, shown
from service.dsl.lexer import NAME
from service.dsl.nodes import Argument, AttrRef, Form, List, Map, Nil, Program, Value
from service.dsl.registry import ArgumentSpec, Kind, Registry, Verb, nearest
from service.dsl.values import Mismatch, typed, untyped


@dataclass(frozen=True, slots=True)
class Given:
    """One argument as given: its plain value, its type, the node that says it."""

    value: Any
    spec: ArgumentSpec
    kind: Kind
    node: Value
    key: Argument


@dataclass(slots=True)
class Bound:
    """A form of known meaning. `case_id`: the case that it belongs to, if any."""

    form: Form
    verb: Verb
    effect: Effect
    given: dict[str, Given] = field(default_factory=dict)  # by slot
    extras: dict[str, Any] = field(default_factory=dict)  # keys that the verb does not know
    filled: dict[str, Any] = field(default_factory=dict)  # by what it belongs to
    case_id: str | None = None

    @property
    def index(self) -> int:
        """The form's number in its document, from 0."""
        return self.form.index

    def slot(self, name: str) -> Any:
        """What fills a slot: the argument, else its case, else what the verb presets."""
        found = self.given.get(name)
        if found is not None and found.value is not None:
            return found.value
        return self.filled.get(name, self.verb.preset.get(name))

    def place(self, slot: str = "") -> tuple[int, int, int]:
        """Where to point: offset and length of the slot's value, else of the verb; the form."""
        found = self.given.get(slot)
        if found is not None:
            return found.node.offset, found.node.length, self.index
        return self.form.verb_offset, len(self.form.verb), self.index


def bind(
    program: Program, registry: Registry, findings: Findings, *, case_id: str | None = None,
    strict: bool = True,
) -> list[Bound]:  # fmt: skip
    """The forms with their meaning. `case_id`: the case that the document is about from its start.

    Raises Full, as every layer does, when there are more errors than are told.
    """
    bound: list[Bound] = []
    for form in program.forms:
        verb = registry.verbs.get(form.verb)
        if verb is None:
            _unknown(form, registry, findings, strict=strict)
            verb = Verb(form.verb, form.verb.partition(".")[0], "", "event")
            if strict or not NAME.match(form.verb):
                continue
        elif verb.deprecated:
            findings.warning(
                "DEPRECATED", f"{verb.name} is deprecated", form.verb_offset, len(form.verb),
                form.index, suggestion=verb.replacement or "",
            )  # fmt: skip
        one = _bind_form(form, verb, registry, findings)
        case_id = _case_of(one, case_id)
        bound.append(one)
    return bound


def _unknown(form: Form, registry: Registry, findings: Findings, *, strict: bool) -> None:
    if not NAME.match(form.verb):
        return  # told by the parser
    tell = findings.error if strict else findings.warning
    known = registry.domain(form.verb.partition(".")[0])
    tell(
        "UNKNOWN_VERB", f"there is no verb {shown(form.verb)}", form.verb_offset, len(form.verb),
        form.index, expected=f"one of {', '.join(known)}" if known else "a verb of GET /dsl/verbs",
        suggestion=registry.meant(form.verb),
    )  # fmt: skip


def _case_of(one: Bound, current: str | None) -> str | None:
    """The case that a form belongs to: the one it names, else the one named last before it."""
    named = one.slot("case_id")
    one.case_id = named if isinstance(named, str) else current
    return one.case_id


def _bind_form(form: Form, verb: Verb, registry: Registry, findings: Findings) -> Bound:
    one = Bound(form, verb, EFFECTS.get(verb.effect, EFFECTS["event"]))
    keys = registry.keys(verb) if verb.name in registry.verbs else {}
    for argument in form.arguments:
        spec = keys.get(argument.key)
        if spec is None:
            one.extras[argument.key] = untyped(argument.value)
            if keys and NAME.match(argument.key):
                _unknown_key(argument, verb, list(keys), one.index, findings)
            continue
        if spec.deprecated:
            _note_deprecated(argument, spec, one.index, findings)
        if spec.fills in one.given:
            first = one.given[spec.fills].key.key
            if first != argument.key:  # else told by the parser
                findings.error(
                    "DUPLICATE_KEY", f":{argument.key} and :{first} are the same argument",
                    argument.offset, argument.length, one.index, suggestion=f"keep :{spec.name}",
                )  # fmt: skip
            continue
        _give(one, argument, spec, findings)
    if not form.broken:
        _check_required(one, findings)
    return one


def _give(one: Bound, argument: Argument, spec: ArgumentSpec, findings: Findings) -> None:
    kind = spec.kind
    try:
        value = typed(argument.value, kind)
    except Mismatch as wrong:
        findings.error(
            wrong.code, f":{argument.key}: {wrong}", wrong.node.offset, wrong.node.length,
            one.index, expected=wrong.expected, suggestion=wrong.suggestion,
        )  # fmt: skip
        value = None
    one.given[spec.fills] = Given(value, spec, kind, argument.value, argument)


def _unknown_key(
    argument: Argument, verb: Verb, keys: list[str], index: int, findings: Findings
) -> None:
    hint = nearest(argument.key, keys)
    findings.warning(
        "UNKNOWN_KEY", f"{verb.name} knows no :{shown(argument.key)}; it is stored all the same",
        argument.offset, argument.length, index, suggestion=f":{hint}" if hint else "",
    )  # fmt: skip


def _note_deprecated(
    argument: Argument, spec: ArgumentSpec, index: int, findings: Findings
) -> None:
    findings.warning(
        "DEPRECATED", f":{argument.key} is deprecated", argument.offset, argument.length, index,
        suggestion=spec.summary,
    )  # fmt: skip


def _check_required(one: Bound, findings: Findings) -> None:
    at, length, index = one.place()
    for spec in one.verb.arguments:
        found = one.given.get(spec.fills)
        absent = found is None or isinstance(found.node, Nil)
        if spec.required and absent and not spec.of_case:
            findings.error(
                "MISSING_ARGUMENT", f"{one.verb.name} needs :{spec.name}", at, length, index,
                expected=f":{spec.name} {spec.type}", suggestion=f":{spec.name} {example(spec)}",
            )  # fmt: skip
    count = len(one.given) + len(one.extras)
    if count < one.verb.at_least and not findings.has("MISSING_ARGUMENT", index):
        what = "at least one change" if one.verb.at_least == 2 else f"{one.verb.at_least} arguments"
        findings.error("MISSING_ARGUMENT", f"{one.verb.name} needs {what}", at, length, index,
                       expected=what)  # fmt: skip


def example(spec: ArgumentSpec) -> str:
    """A value of the argument's type, to show how it is written."""
    kind = spec.kind
    if kind.base == "enum":
        return f'"{kind.values[0]}"'
    return _EXAMPLES.get(kind.base, '"…"')


_EXAMPLES = {
    "number": "1", "percent": "25%", "money": "1000USD", "date": '"2026-01-31"',
    "datetime": '"2026-01-31T12:00:00Z"', "boolean": "true", "list": "[…]", "map": "{…}",
    "uuid": '"00000000-0000-0000-0000-000000000000"', "attr-ref": "@attr{…}",
}  # fmt: skip


def attribute_refs(program: Program) -> list[tuple[AttrRef, int]]:
    """Every reference to an attribute in a document, with its form's number."""
    found: list[tuple[AttrRef, int]] = []
    for form in program.forms:
        waiting: list[Value] = [argument.value for argument in form.arguments]
        while waiting:
            node = waiting.pop()
            if isinstance(node, AttrRef):
                found.append((node, form.index))
            elif isinstance(node, List):
                waiting += node.items
            elif isinstance(node, Map):
                waiting += [entry.value for entry in node.entries]
    return found
