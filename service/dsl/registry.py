"""The verbs: data that comes from the database, made ready for looking up and for suggesting.

A verb names one of the effects of `service.dsl.effects`; each of its arguments fills a slot of
that effect, by default the one that is called like the argument. So a new verb of a known effect
is a row and no code.
"""

from __future__ import annotations

import difflib
import functools
import itertools
import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from msgspec import Struct

BASES = frozenset(
    {"string", "text", "number", "percent", "money", "date", "datetime", "uuid", "boolean", "enum",
     "list", "map", "any", "entity-ref", "case-ref", "document-ref", "attr-ref", "user-ref"}
)  # fmt: skip
_MOST_COMPARED = 200  # names that a misspelt one is compared with
_LONGEST = 80


class Kind(Struct, frozen=True):
    """A type: its base, an enum's values, the type of a list's items."""

    base: str
    values: tuple[str, ...] = ()
    item: Kind | None = None

    def __str__(self) -> str:
        if self.item is not None:
            return f"list of {self.item}"
        return f"enum[{'|'.join(self.values)}]" if self.values else self.base


@functools.lru_cache(maxsize=1024)
def kind_of(text: str) -> Kind:
    """A type from its text: `date`, `enum[a|b]`, `list of entity-ref`. Raises ValueError."""
    if text.startswith("list of "):
        return Kind("list", item=kind_of(text.removeprefix("list of ")))
    if match := re.fullmatch(r"enum\[([\w-]+(?:\|[\w-]+)*)\]", text):
        return Kind("enum", values=tuple(match[1].split("|")))
    if text not in BASES - {"enum", "list"}:
        raise ValueError(f"{text!r} is no type")
    return Kind(text)


class ArgumentSpec(Struct, frozen=True):
    """One argument of a verb. `of_case`: may be absent where the case names one."""

    name: str
    type: str = "string"
    required: bool = False
    aliases: tuple[str, ...] = ()
    slot: str = ""
    summary: str = ""
    of_case: bool = False
    deprecated: bool = False

    @property
    def kind(self) -> Kind:
        """The type, taken apart."""
        return kind_of(self.type)

    @property
    def fills(self) -> str:
        """The slot of the effect that it fills."""
        return self.slot or self.name.replace("-", "_")


class Verb(Struct, frozen=True):
    """What a form's verb means. `stage`: its place in the order of onboarding; `preset`: slots
    that it fills itself; `at_least`: how many arguments it takes at the least.
    """

    name: str
    domain: str
    summary: str
    effect: str
    arguments: tuple[ArgumentSpec, ...] = ()
    preset: dict[str, Any] = {}
    stage: int | None = None
    at_least: int = 0
    deprecated: bool = False
    replacement: str | None = None


class Registry:
    """All verbs of one moment. Raises ValueError on one that cannot be: doubled, untyped, aliased
    twice.
    """

    def __init__(self, verbs: Iterable[Verb]) -> None:
        self.verbs: dict[str, Verb] = {}
        self._keys: dict[str, dict[str, ArgumentSpec]] = {}
        for verb in verbs:
            if verb.name in self.verbs:
                raise ValueError(f"{verb.name} is there twice")
            self.verbs[verb.name] = verb
            self._keys[verb.name] = _keys(verb)
        self._alike = {_bare(name): name for name in self.verbs}

    @classmethod
    def from_json(cls, data: bytes) -> Registry:
        """The registry from a JSON array of verbs."""
        return cls(msgspec.json.decode(data, type=list[Verb]))

    def keys(self, verb: Verb) -> Mapping[str, ArgumentSpec]:
        """The verb's arguments by each name and alias."""
        return self._keys[verb.name]

    def domain(self, name: str) -> list[str]:
        """The names of a domain's verbs."""
        return sorted(v.name for v in self.verbs.values() if v.domain == name)

    def meant(self, name: str) -> str:
        """The verb that was probably meant by a name that is none; "" when nothing is near."""
        if len(name) > _LONGEST:
            return ""
        same = self._alike.get(_bare(name))
        if same is not None:
            return same
        domain, _, action = name.partition(".")
        within = {v.partition(".")[2]: v for v in self.domain(domain)}
        return within.get(nearest(action, within)) or nearest(name, self.verbs)


def _keys(verb: Verb) -> dict[str, ArgumentSpec]:
    keys: dict[str, ArgumentSpec] = {}
    for argument in verb.arguments:
        kind_of(argument.type)
        for key in (argument.name, *argument.aliases):
            if key in keys:
                raise ValueError(f"{verb.name}: :{key} is there twice")
            keys[key] = argument
    return keys


def _bare(name: str) -> str:
    return re.sub(r"[\W_]", "", name).lower()


def nearest(name: str, among: Iterable[str]) -> str:
    """The most similar of some names; "" when none is similar."""
    if len(name) > _LONGEST:
        return ""
    candidates = {other.lower(): other for other in itertools.islice(among, _MOST_COMPARED)}
    found = difflib.get_close_matches(name.lower(), candidates, n=1, cutoff=0.65)
    return candidates[found[0]] if found else ""
