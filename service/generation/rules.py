"""A generator without a model: what it says follows from the registry and a table of templates.

It reads an instruction clause by clause. A clause is one of the templates of `templates`, or the
words of a verb of the registry and then its arguments by name:

    create task "T-1" title "Call the client" due-date 2026-02-01

A clause that is neither is not guessed at: the answer is that it cannot, and why.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from service.dsl.nodes import Form, Value
from service.dsl.registry import ArgumentSpec, Registry, Verb
from service.generation.drafting import Ask, Cannot, Draft, Unusable, form, written
from service.generation.phrases import PREPOSITIONS, QUOTED, Text, value_of
from service.generation.templates import Scene, matching

NAME = "rules"
MOST_CLAUSES = 200
EXACT = 0.97  # all that the document says was said
_LOOSE = 0.85  # where a value ends was told by the word behind it
_TOKEN = re.compile(rf"{QUOTED}|[,=:]|[^\s,=:]+(?:[:=,](?=[^\s,=:])[^\s,=:]+)*")
_KEY = re.compile(r":?([A-Za-z_][\w-]*)")
_ARTICLES = {"a", "an", "the", "new"}
_JOINING = {",", "and", "with", "having"}
_EQUALS = {"=", ":", "is", "are"}
_LONGEST_PHRASE = 6


class Rules:
    """The generator; it holds nothing and asks nobody."""

    name = NAME

    async def propose(self, ask: Ask) -> Draft:
        """A document, or why there is none."""
        try:
            return _draft(ask)
        except (Cannot, Unusable) as why:
            return Draft(NAME, None, 0.0, f"Cannot: {why}.")

    async def close(self) -> None:
        """Nothing is open."""


def _draft(ask: Ask) -> Draft:
    """The document of an instruction. Raises Cannot, Unusable."""
    scene = Scene(Text(ask.instruction), ask)
    if not 0 < len(scene.text.clauses) <= MOST_CLAUSES:
        raise Cannot(f"an instruction has 1 to {MOST_CLAUSES} sentences")
    forms = [made for clause in scene.text.clauses for made in _read(clause, scene)]
    return Draft(NAME, written(forms, ask), min(EXACT, scene.confidence))


def _read(clause: str, scene: Scene) -> list[Form]:
    """The forms of one clause. Raises Cannot."""
    made = matching(clause, scene)
    return [_by_name(clause, scene)] if made is None else made


# a verb's own words


def _by_name(clause: str, scene: Scene) -> Form:
    tokens = [m[0] for m in _TOKEN.finditer(clause)]
    registry = scene.ask.registry
    if scene.phrases is None:
        scene.phrases = _phrases(registry)
    verb, length = _verb(tokens, scene.phrases)
    if verb is None:
        raise Cannot(f"I do not understand \u201c{scene.text.shown(clause)}\u201d")
    keys = registry.keys(verb)
    given: dict[str, Value] = {}
    for spec, words in _pairs(tokens[length:], verb, keys, scene):
        if spec.name in given:
            raise Cannot(f"{verb.name} is given {spec.name} twice")
        given[spec.name] = value_of(spec.kind, words, scene.text, scene.ask.attributes)
    for spec in verb.arguments:
        if spec.required and not spec.of_case and spec.name not in given:
            raise Cannot(f"{verb.name} needs {spec.name}")
    return form(verb.name, given)


def _verb(tokens: list[str], phrases: dict[str, Verb]) -> tuple[Verb | None, int]:
    """The verb that the first words name, by the most words; and how many those are."""
    words: list[str] = []
    found: tuple[Verb | None, int] = (None, 0)
    for at, token in enumerate(tokens):
        if token.lower() in _ARTICLES:
            continue
        if token in _JOINING or token in _EQUALS or len(words) >= _LONGEST_PHRASE:
            break
        words += re.split(r"[._-]", token.lower())
        if (verb := phrases.get(" ".join(words))) is not None:
            found = verb, at + 1
    return found


def _phrases(registry: Registry) -> dict[str, Verb]:
    """What each verb may be called; a phrase that two verbs share is nobody's."""
    found: dict[str, Verb] = {}
    shared: set[str] = set()
    for verb in registry.verbs.values():
        if verb.deprecated:
            continue
        for phrase in _called(verb):
            if found.setdefault(phrase, verb) is not verb:
                shared.add(phrase)
    return {phrase: verb for phrase, verb in found.items() if phrase not in shared}


def _called(verb: Verb) -> set[str]:
    domain, _, action = verb.name.rpartition(".")
    does = re.sub(r"[_-]", " ", action)
    if not domain:
        return {does}
    called = {f"{domain} {does}"}
    for thing in {domain, domain.removesuffix("s")}:
        called.add(f"{does} {thing}")
    return called


def _pairs(
    tokens: list[str], verb: Verb, known: Mapping[str, ArgumentSpec], scene: Scene
) -> Iterator[tuple[ArgumentSpec, str]]:
    """The arguments with the words of their values. Raises Cannot."""
    at = 0
    first = next((a for a in verb.arguments if a.required), None)
    named = not tokens or tokens[0].lower() in PREPOSITIONS or _key(tokens, 0, known)[0] is not None
    if first is not None and not named and tokens[0] not in _JOINING:
        yield first, tokens[0]  # `create case CBU-1`: what is required need not be named
        at = 1
    while at < len(tokens):
        if tokens[at].lower() in _JOINING:
            at += 1
            continue
        spec, length = _key(tokens, at, known)
        if spec is None:
            raise Cannot(f"{verb.name} has no argument {scene.text.meant(tokens[at])!r}")
        at += length
        if at < len(tokens) and tokens[at].lower() in _EQUALS:
            at += 1
        end = _end(tokens, at, spec, known)
        if end == at:
            raise Cannot(f"{verb.name} is given no value for {spec.name}")
        if end > at + 1 and spec.kind.item is None:
            scene.confidence = min(scene.confidence, _LOOSE)
        yield spec, " ".join(tokens[at:end])
        at = end


def _key(
    tokens: list[str], at: int, keys: Mapping[str, ArgumentSpec]
) -> tuple[ArgumentSpec | None, int]:
    """The argument that is named from here on, by the most words; and how many those are."""
    words: list[str] = []
    found: tuple[ArgumentSpec | None, int] = (None, 0)
    for token in tokens[at : at + 4]:
        match = _KEY.fullmatch(token)
        if match is None:
            break
        words.append(match[1].lower().replace("_", "-"))
        if (spec := keys.get("-".join(words))) is not None:
            found = spec, len(words)
    return found


def _end(tokens: list[str], at: int, spec: ArgumentSpec, keys: Mapping[str, ArgumentSpec]) -> int:
    """Where the value that begins here ends: before the next argument or comma."""
    end = at
    if spec.kind.item is None and at < len(tokens) and re.fullmatch(QUOTED, tokens[at]):
        return at + 1
    while end < len(tokens):
        joins = tokens[end].lower() in _JOINING
        if joins and spec.kind.item is None:
            break
        follows = end + 1 if joins else end
        if end > at and follows < len(tokens) and _key(tokens, follows, keys)[0] is not None:
            break
        end += 1
    return end
