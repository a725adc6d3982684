"""What every generator is asked and answers, and how forms become the text of a document."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Protocol

from msgspec import Struct

from service.dsl.lexer import CURRENCIES, NAME, STRANGE
from service.dsl.nodes import (
    Argument,
    AttrRef,
    Boolean,
    Entry,
    Form,
    List,
    Map,
    Nil,
    Number,
    Program,
    String,
    Value,
    plain,
)  # fmt: skip
from service.dsl.parser import parse
from service.dsl.printer import print_program
from service.dsl.registry import Registry

MOST_FORMS = 1000
_DEEPEST = 20
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z")
_MOST_DIGITS = 100


class Attribute(Struct, frozen=True):
    """An attribute of the tenant's dictionary, as far as a generator must know it."""

    id: str
    name: str
    mask: str
    long_description: str = ""


@dataclass(frozen=True, slots=True)
class Ask:
    """What is wanted. `case_id`: the case that it is about, where the caller says so."""

    instruction: str
    registry: Registry
    attributes: list[Attribute] = field(default_factory=list)
    case_id: str | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """What a generator made: the text of a document, or None and the reason why it cannot."""

    generator: str
    dsl: str | None
    confidence: float
    reason: str | None = None
    model: str | None = None


class Cannot(Exception):
    """The instruction cannot be turned into a document; the message says why."""


class Unusable(Exception):
    """A generator made something that is no document: forms that cannot be written."""


class GeneratorFailed(Exception):
    """The generator cannot be asked now; `retry_after` in seconds."""

    def __init__(self, why: str, retry_after: int = 1) -> None:
        super().__init__(why)
        self.retry_after = retry_after


class Generator(Protocol):
    """Makes documents of instructions."""

    name: str

    async def propose(self, ask: Ask) -> Draft:
        """A draft; `dsl` is None when it cannot. Raises GeneratorFailed."""

    async def close(self) -> None:
        """Give back what it holds."""


def written(forms: list[Form], ask: Ask) -> str:
    """The text of a document of these forms. Raises Unusable.

    The text is read again and must mean what the forms mean: nothing can have left its string.
    """
    program = Program(items=[*placed(forms, ask)])
    try:
        text = print_program(program)
        text.encode()
    except UnicodeEncodeError:
        raise Unusable("characters that cannot be stored") from None
    read = parse(text)
    if read.findings or plain(read.program) != plain(program):
        raise Unusable("forms that cannot be written")
    return text


def placed(forms: list[Form], ask: Ask) -> list[Form]:
    """The forms, told which case they belong to where they do not say it themselves."""
    if ask.case_id is None:
        return forms
    for form in forms:
        verb = ask.registry.verbs.get(form.verb)
        keys = ask.registry.keys(verb) if verb is not None else {}
        if any(a.key in keys and keys[a.key].name == "case-id" for a in form.arguments):
            return forms
        if "case-id" in keys:
            form.arguments.insert(0, Argument(key="case-id", value=String(value=ask.case_id)))
            return forms
    return forms


def form(verb: str, arguments: dict[str, Value]) -> Form:
    """A form. Raises Unusable when the verb or a key is no name."""
    for name in (verb, *arguments):
        if not NAME.match(name) or len(name) > 200:
            raise Unusable("a verb or key that is no name")
    return Form(verb=verb, arguments=[Argument(key=k, value=v) for k, v in arguments.items()])


def node(value: Any, depth: int = 0) -> Value:  # noqa: PLR0911  (one return per kind of value)
    """A value of JSON as a node. Raises Unusable.

    Beside what JSON has: {"percent": 25}, {"amount": 5, "currency": "EUR"} and {"attribute_id": …,
    "name"?: …}, as the service itself writes them.
    """
    if depth > _DEEPEST:
        raise Unusable("values that nest too deep")
    match value:
        case None:
            return Nil()
        case bool():
            return Boolean(value=value)
        case int() | Decimal():
            return number(value)
        case str():
            if STRANGE.search(value):
                raise Unusable("characters that cannot be stored")
            return String(value=value)
        case list():
            return List(items=[node(item, depth + 1) for item in value])
        case {"percent": int() | Decimal() as share, **rest} if not rest:
            return number(share, "%")
        case {"amount": int() | Decimal() as amount, "currency": str(unit), **rest} if not rest:
            return number(amount, unit)
        case {"attribute_id": str(attribute_id), **rest} if rest.keys() <= {"name"}:
            return reference(attribute_id, str(rest.get("name") or ""))
        case dict():
            return Map(entries=items_of(value, depth))
    raise Unusable(f"a value that is a {type(value).__name__}")


def items_of(value: dict[str, Any], depth: int) -> Any:
    """The entries of a map, their keys as strings."""
    if any(STRANGE.search(key) for key in value):
        raise Unusable("characters that cannot be stored")
    return [Entry(key=k, quoted=True, value=node(v, depth + 1)) for k, v in value.items()]


def number(value: int | Decimal, unit: str = "") -> Number:
    """An exact number with its unit. Raises Unusable."""
    exact = Decimal(value)
    if not exact.is_finite() or abs(exact.adjusted()) > _MOST_DIGITS:
        raise Unusable("a number that cannot be written")
    if unit not in ("", "%") and unit not in CURRENCIES:
        raise Unusable("a unit that is neither % nor a currency")
    text = f"{exact:f}"
    return Number(value="0" if text == "-0" else text, unit=unit)


def reference(attribute_id: str, name: str = "") -> AttrRef:
    """A reference to an attribute. Raises Unusable."""
    if not _UUID.match(attribute_id) or (name and not NAME.match(name)):
        raise Unusable("a reference to an attribute that is none")
    return AttrRef(attribute_id=attribute_id.lower(), name=name)
