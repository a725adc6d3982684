"""Sentences of onboarding work that the rules know, beside the words of the verbs themselves.

Each template names the verbs that it needs; with a registry that lacks one, it is not there. What
it cannot tell, it leaves to validation: whether an entity exists, whether a step is legal.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from service.dsl.nodes import Form, List, String, Value
from service.dsl.registry import Registry, Verb, kind_of
from service.generation.drafting import Ask, Cannot, form, reference
from service.generation.phrases import (
    PREPOSITIONS,
    QUOTED,
    Text,
    attribute,
    id_of,
    jurisdiction,
    listed,
    one_of,
    value_of,
)  # fmt: skip

DERIVED = 0.90  # an id was made of a name
_LONGEST = 600  # characters of a clause: what a sentence needs, and no expression takes long
_ID_LIKE = re.compile(r"[A-Z0-9][A-Z0-9._/-]*")
_MASKS = {"integer": "number", "decimal": "number", "percent": "percent", "money": "money",
          "boolean": "boolean", "date": "date", "datetime": "datetime"}  # fmt: skip
Found = dict[str, str]


@dataclass
class Scene:
    """What an instruction has said so far."""

    text: Text
    ask: Ask
    confidence: float = 1.0
    ids: dict[str, str] = field(default_factory=dict)  # names of entities → their ids
    phrases: dict[str, Verb] | None = None

    @property
    def registry(self) -> Registry:
        """The verbs."""
        return self.ask.registry

    def knows(self, *verbs: str) -> bool:
        """Whether the registry has all of them."""
        return all(verb in self.registry.verbs for verb in verbs)

    def meant(self, words: str) -> str:
        """What words of a clause stand for."""
        return self.text.meant(words)

    def entity(self, words: str) -> str:
        """The id of an entity that is called by its name or by its id."""
        said = self.meant(words)
        known = self.ids.get(said.lower())
        if known is not None:
            return known
        if _ID_LIKE.fullmatch(said):
            return said
        self.confidence = min(self.confidence, DERIVED)
        return id_of(said)

    def value(self, verb: str, key: str, words: str) -> Value:
        """Words as the verb's argument wants them. Raises Cannot."""
        spec = self.registry.keys(self.registry.verbs[verb])[key]
        return value_of(spec.kind, words, self.text, self.ask.attributes)

    def form(self, verb: str, found: Found, **keys: str) -> Form:
        """A form whose arguments are groups of the match: key (with _ for -) → group."""
        pairs = {k.replace("_", "-"): found[g] for k, g in keys.items() if g in found}
        return form(verb, {key: self.value(verb, key, words) for key, words in pairs.items()})


@dataclass(frozen=True, slots=True)
class Template:
    """A sentence, the verbs that it takes, and the forms that it means; None: not this one."""

    pattern: re.Pattern[str]
    verbs: tuple[str, ...]
    make: Callable[[Scene, Found], list[Form] | None]


def _pattern(text: str) -> re.Pattern[str]:
    """A sentence: words in any case; {group}s are ids, names or other words."""
    word = r"[\w&.'\u2019/()-]+"
    capital = r"[A-Z0-9][\w&.'\u2019/()-]*"
    other = rf"(?!(?i:{'|'.join(PREPOSITIONS)}|kyc)\b){word}"
    small = "of|and|the|de|du|der|van|von|&"
    parts = {
        "id": rf"(?:{QUOTED}|(?!(?i:{'|'.join(PREPOSITIONS)})\b)\w[\w./-]*)",
        "name": rf"(?:{QUOTED}|{capital}(?:\s(?:{capital}|{small})){{0,11}}?)",
        "words": rf"(?:{QUOTED}|{word}(?:\s{word}){{0,5}}?)",
        "kind": rf"(?:{QUOTED}|{other}(?:\s{other}){{0,2}}?)",
        "share": r"[0-9]+(?:\.[0-9]+)?\s?(?:%|percent|per\scent|pct)",
        "list": rf"(?:{QUOTED}|[\w-]+)(?:(?:,\s?(?:and\s)?|\sand\s)(?:{QUOTED}|[\w-]+)){{0,30}}",
        "rest": r".+",
    }
    source = re.sub(
        r"\{(\w+):(\w+)\}", lambda m: f"(?P<{m[1]}>(?-i:{parts[m[2]]}))", text.replace(" ", r"\s")
    )
    return re.compile(source.replace(r"\s?\s", r"\s?"), re.IGNORECASE)


def _open(scene: Scene, found: Found) -> list[Form] | None:
    if found.get("kind", "").lower() in ("", "new", "a", "an", "the"):
        found.pop("kind", None)
    made = scene.form("case.create", found, case_type="kind", customer_name="who",
                      priority="priority")  # fmt: skip
    given: dict[str, Value] = {a.key: a.value for a in made.arguments} | _where(scene, found)
    if "case" in found:
        case_id = scene.meant(found["case"])
    elif "who" in found:
        case_id = id_of(scene.meant(found["who"]))
        scene.confidence = min(scene.confidence, DERIVED)
    else:
        return None
    return [form("case.create", {"case-id": String(value=case_id)} | given)]


def _where(scene: Scene, found: Found) -> dict[str, Value]:
    if "where" not in found:
        return {}
    return {"jurisdiction": String(value=jurisdiction(scene.meant(found["where"])))}


def _onboard(scene: Scene, found: Found) -> list[Form]:
    who = scene.meant(found["who"])
    case = found.get("case")
    case_id = scene.meant(case) if case else scene.ask.case_id
    entity = scene.ids[who.lower()] = scene.entity(found["who"])
    where = _where(scene, found)
    forms: list[Form] = []
    if scene.ask.case_id is None or case:
        if case_id is None:
            scene.confidence = min(scene.confidence, DERIVED)
            case_id = f"ONBOARD-{entity}"
        opened: dict[str, Value] = {
            "case-id": String(value=case_id), "case-type": String(value="onboarding"),
            "customer-name": String(value=who), "entity-id": String(value=entity),
        }  # fmt: skip
        forms.append(form("case.create", opened | where))
    forms.append(_entity(scene, entity, found["kind"], who, where))
    about = String(value=entity)
    forms.append(form("role.assign", {"entity": about, "role": String(value="client")}))
    forms.append(form("kyc.start", {"entity-id": about}))
    return forms


def _entity(scene: Scene, entity: str, kind: str, name: str, where: dict[str, Value]) -> Form:
    said = scene.value("entity.register", "entity-type", _PERSONS.get(kind.lower(), kind))
    about: dict[str, Value] = {"entity-id": String(value=entity), "entity-type": said}
    named: dict[str, Value] = {} if name == entity else {"name": String(value=name)}
    return form("entity.register", about | named | where)


_PERSONS = {
    "person": "proper_person", "natural person": "proper_person", "individual": "proper_person",
    "special purpose vehicle": "spv", "limited liability company": "llc",
    "insurance company": "insurer",
}  # fmt: skip


def _register(scene: Scene, found: Found) -> list[Form]:
    name = scene.meant(found["who"])
    entity = scene.meant(found["id"]) if "id" in found else scene.entity(found["who"])
    scene.ids[name.lower()] = entity
    where = _where(scene, found)
    return [_entity(scene, entity, found["kind"], name, where)]


def _link(scene: Scene, found: Found) -> list[Form]:
    given: dict[str, Value] = {
        "from-entity": String(value=scene.entity(found["owner"])),
        "to-entity": String(value=scene.entity(found["owned"])),
        "relationship-type": String(value="ownership" if "share" in found else "control"),
    }
    if "share" in found:
        given["ownership-percent"] = scene.value("entity.link", "ownership-percent", found["share"])
    return [form("entity.link", given)]


def _products(scene: Scene, found: Found) -> list[Form]:
    given: dict[str, Value] = {}
    if "case" in found:
        given["case-id"] = String(value=scene.meant(found["case"]))
    items: list[Value] = [String(value=scene.meant(one)) for one in listed(found["products"])]
    return [form("products.add", given | {"products": List(items=items)})]


def _kyc(scene: Scene, found: Found) -> list[Form]:
    given: dict[str, Value] = {}
    if "case" in found:
        given["case-id"] = String(value=scene.meant(found["case"]))
    if "who" in found:
        given["entity-id"] = String(value=scene.entity(found["who"]))
    if "level" in found:
        given["level"] = scene.value("kyc.start", "level", found["level"])
    return [form("kyc.start", given)]


def _collect(scene: Scene, found: Found) -> list[Form]:
    kind = scene.meant(found["what"])
    if kind == found["what"]:
        kind = "_".join(kind.lower().split())
    about = String(value=scene.entity(found["who"]))
    return [form("kyc.collect", {"entity-id": about, "document-type": String(value=kind)})]


def _role(scene: Scene, found: Found) -> list[Form]:
    role = scene.meant(found["role"])
    if role == found["role"]:
        role = "_".join(role.lower().split())
    about = String(value=scene.entity(found["who"]))
    return [form("role.assign", {"entity": about, "role": String(value=role)})]


def _move(scene: Scene, found: Found) -> list[Form]:
    return [
        scene.form("workflow.transition", found, case_id="case", to_state="state", reason="why")
    ]


def _approve(scene: Scene, found: Found) -> list[Form]:
    return [scene.form("case.approve", found, case_id="case", reason="why")]


def _close(scene: Scene, found: Found) -> list[Form]:
    return [scene.form("case.close", found, case_id="case", reason="why")]


def _catalog(scene: Scene, found: Found) -> list[Form]:
    made = scene.form("document.catalog", found, document_id="document")
    kind = scene.meant(found["what"])
    if kind == found["what"]:
        kind = "_".join(kind.lower().split())
    given: dict[str, Value] = {a.key: a.value for a in made.arguments}
    given["document-type"] = String(value=kind)
    if "who" in found:
        given["entity"] = String(value=scene.entity(found["who"]))
    return [form("document.catalog", given)]


def _set(scene: Scene, found: Found) -> list[Form]:
    about = attribute(scene.meant(found["what"]), scene.ask.attributes)
    kind = kind_of(_MASKS.get(about.mask, "string"))
    value = value_of(kind, found["value"], scene.text, scene.ask.attributes)
    given: dict[str, Value] = {"attribute": reference(about.id, about.name), "value": value}
    where = (found.get("kind") or "entity").lower()
    if where == "entity":
        given["entity"] = String(value=scene.entity(found["who"]))
    else:
        given |= {
            "subject-kind": String(value=one_of(("case", "document"), where)),
            "subject-id": String(value=scene.meant(found["who"])),
        }
    return [form("values.bind", given)]


_IN = r"(?: (?:in|from|of) {where:name})?"
_CASE = r"(?: (?:to|on|in|for|of) (?:the )?case {case:id})?"
_WHY = r"(?:,? (?:because|as|since)(?: of)? {why:rest})?"
_SENTENCES: list[tuple[str, tuple[str, ...], Callable[[Scene, Found], list[Form] | None]]] = [
    (rf"(?:open|create|start)(?: an?| the)?(?: new)?(?: {{kind:kind}})? case(?: {{case:id}})?"
     rf"(?: for {{who:name}})?{_IN}(?:,? (?:with|at) {{priority:id}} priority)?",
     ("case.create",), _open),
    (rf"onboard {{who:name}},?(?: as)? an? {{kind:words}}{_IN}"
     r"(?:,? (?:under|as|in|with)(?: the)? case {case:id})?",
     ("case.create", "entity.register", "role.assign", "kyc.start"), _onboard),
    (rf"(?:register|add)(?: the)?(?: entity)? {{who:name}}(?: (?:with|under) (?:the )?id {{id:id}})"
     rf"?,? as an? {{kind:words}}{_IN}", ("entity.register",), _register),
    (r"{owner:name} (?:owns|holds|has) {share:share} (?:of|in) {owned:name}",
     ("entity.link",), _link),
    (r"{owned:name} is {share:share} owned by {owner:name}", ("entity.link",), _link),
    (r"{owned:name} is owned {share:share} by {owner:name}", ("entity.link",), _link),
    (r"{owner:name} controls {owned:name}", ("entity.link",), _link),
    (rf"(?:add|request) (?:the )?products? {{products:list}}{_CASE}", ("products.add",), _products),
    (rf"(?:start|begin)(?: the)?(?: {{level:id}})? (?:kyc|due diligence)"
     rf"(?: (?:on|for|of) (?!(?:the )?case ){{who:name}})?{_CASE}", ("kyc.start",), _kyc),
    (r"collect (?:the |an? )?{what:words} (?:from|of|for) {who:name}", ("kyc.collect",), _collect),
    (r"make {who:name} (?:the |an? )?{role:words}", ("role.assign",), _role),
    (r"assign (?:the )?role(?: of)? {role:words} to {who:name}", ("role.assign",), _role),
    (rf"(?:move|transition|send|take) (?:the )?case {{case:id}} (?:in)?to {{state:words}}{_WHY}",
     ("workflow.transition",), _move),
    (rf"approve (?:the )?case {{case:id}}{_WHY}", ("case.approve",), _approve),
    (rf"close (?:the )?case {{case:id}}{_WHY}", ("case.close",), _close),
    (r"catalog(?:ue)? (?:the )?document {document:id} (?:as an?|of type) {what:words}"
     r"(?: (?:of|for) {who:name})?", ("document.catalog",), _catalog),
    (r"set (?:the )?{what:words} of (?:the )?(?:(?P<kind>entity|case|document) )?"
     r"{who:name} to {value:rest}",
     ("values.bind",), _set),
]  # fmt: skip
TEMPLATES = [Template(_pattern(text), verbs, make) for text, verbs, make in _SENTENCES]


def matching(clause: str, scene: Scene) -> list[Form] | None:
    """The forms of the first template that the clause is; None when it is none. Raises Cannot."""
    if len(clause) > _LONGEST:
        raise Cannot("a sentence is too long to be one that I know")
    for template in TEMPLATES:
        match = template.pattern.fullmatch(clause)
        if match is not None and scene.knows(*template.verbs):
            made = template.make(scene, {k: v for k, v in match.groupdict().items() if v})
            if made is not None:
                return made
    return None
