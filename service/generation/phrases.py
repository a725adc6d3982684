"""English as far as the rules read it: clauses, quoted text, and values of the registry's types."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal

from service.dsl.lexer import CURRENCIES
from service.dsl.nodes import Boolean, List, String, Value
from service.dsl.registry import Kind
from service.generation.drafting import Attribute, Cannot, number, reference

# a quoted text stands in a clause as its number between two characters that nothing else may use
_OPEN, _SHUT = "\ue000", "\ue001"
PREPOSITIONS = ("for", "to", "of", "in", "on", "by", "with", "from", "as", "and", "at", "because")
QUOTED = rf"{_OPEN}[0-9]+{_SHUT}"
_QUOTES = re.compile(
    r"""(?<!\w)"([^"]*)"(?!\w)|\u201c([^\u201c\u201d]*)\u201d|\xab([^\xab\xbb]*)\xbb"""
    r"""|(?<!\w)'([^'\n]*)'(?!\w)""",
    re.VERBOSE,
)
_BETWEEN = re.compile(rf"[.;!?]+(?=\s|\Z|{_OPEN})|\n+|,?\s+(?:and\s+)?then\b[,\s]*", re.IGNORECASE)
_FILLER = re.compile(
    r"(?:please|kindly|now|also|and|next|finally|first|afterwards|we|should|must|need to|want to|i)"
    r"\b[,\s]*",
    re.IGNORECASE,
)
_AMOUNT = re.compile(
    r"(?:([A-Z]{3})\s*)?([0-9]+(?:,[0-9]{3})*(?:\.[0-9]+)?)\s*(k|m|million|bn|billion)?\s*([A-Z]{3})?"
)
_TIMES = {"k": 10**3, "m": 10**6, "million": 10**6, "bn": 10**9, "billion": 10**9}
_NUMBER = re.compile(r"-?[0-9]{1,40}(?:\.[0-9]{1,40})?")
_SHARE = re.compile(
    r"(-?[0-9]{1,40}(?:\.[0-9]{1,40})?)\s*(?:%|percent|per cent|pct)?", re.IGNORECASE
)
_DAY = re.compile(r"([0-9]{1,2})(?:st|nd|rd|th)?\s+([A-Za-z]+)\s+([0-9]{4})")
_MONTHS = {
    name: at
    for at, name in enumerate(
        ("january", "february", "march", "april", "may", "june", "july", "august", "september",
         "october", "november", "december"), 1
    )
}  # fmt: skip
_WORDS = {"yes": True, "true": True, "no": False, "false": False}
_NOT_ID = re.compile(r"[^A-Z0-9]+")
_LONGEST_SHOWN = 120
COUNTRIES = {
    "luxembourg": "LU", "ireland": "IE", "germany": "DE", "france": "FR", "switzerland": "CH",
    "netherlands": "NL", "the netherlands": "NL", "united kingdom": "GB", "uk": "GB",
    "united states": "US", "usa": "US", "cayman islands": "KY", "the cayman islands": "KY",
    "jersey": "JE", "guernsey": "GG", "singapore": "SG", "hong kong": "HK", "japan": "JP",
    "delaware": "US-DE", "liechtenstein": "LI", "malta": "MT", "cyprus": "CY", "spain": "ES",
    "italy": "IT", "austria": "AT", "belgium": "BE", "british virgin islands": "VG",
    "bermuda": "BM",
}  # fmt: skip


class Text:
    """An instruction with its quoted texts taken out. Raises Cannot for one that cannot be read."""

    def __init__(self, instruction: str) -> None:
        if _OPEN in instruction or _SHUT in instruction:
            raise Cannot("the instruction holds characters of private use")
        self._quoted: list[str] = []
        masked = _QUOTES.sub(self._take, instruction)
        self.clauses = [bare for part in _BETWEEN.split(masked) if (bare := _without_filler(part))]

    def _take(self, match: re.Match[str]) -> str:
        self._quoted.append(next(group for group in match.groups() if group is not None))
        return f"{_OPEN}{len(self._quoted) - 1}{_SHUT}"

    def meant(self, words: str) -> str:
        """What words of a clause stand for: quoted text as it was, else the words."""
        if words.startswith(_OPEN) and words.endswith(_SHUT) and words.count(_OPEN) == 1:
            return self._quoted[int(words[1:-1])]
        return self.shown(words) if _OPEN in words else " ".join(words.split())

    def shown(self, clause: str) -> str:
        """A clause as it was written, for a reason."""
        told = re.sub(QUOTED, lambda m: f'"{self._quoted[int(m[0][1:-1])]}"', clause)
        flat = " ".join(told.split())
        return flat if len(flat) <= _LONGEST_SHOWN else flat[: _LONGEST_SHOWN - 1] + "…"


def _without_filler(part: str) -> str:
    bare = part.strip(" \t\r\n,")
    while match := _FILLER.match(bare):
        bare = bare[match.end() :]
    return re.sub(r"[,\s]+please\Z", "", bare, flags=re.IGNORECASE)


def id_of(name: str) -> str:
    """The id of something that is called by its name only. Raises Cannot."""
    found = _NOT_ID.sub("-", name.upper()).strip("-")[:100]
    if not found:
        raise Cannot(f"no id can be made of {name!r}")
    return found


def jurisdiction(words: str) -> str:
    """A country's code where the country is known, else the words."""
    return COUNTRIES.get(words.lower(), words)


def listed(words: str) -> list[str]:
    """The items of `A, B and C`."""
    return [
        item for part in re.split(r"\s*,\s*(?:and\s+)?|\s+and\s+", words) if (item := part.strip())
    ]


def value_of(  # noqa: PLR0911  (one return per type)
    kind: Kind, words: str, text: Text, attributes: list[Attribute]
) -> Value:
    """A value of the argument's type. Raises Cannot."""
    if kind.item is not None:
        return List(items=[value_of(kind.item, one, text, attributes) for one in listed(words)])
    said = text.meant(words)
    match kind.base:
        case (
            "string"
            | "text"
            | "any"
            | "uuid"
            | "entity-ref"
            | "case-ref"
            | "document-ref"
            | "user-ref"
        ):
            return String(value=said)
        case "number" if _NUMBER.fullmatch(said):
            return number(Decimal(said))
        case "percent" if match := _SHARE.fullmatch(said):
            return number(Decimal(match[1]), "%")
        case "money":
            return _money(said)
        case "date" | "datetime":
            return String(value=_day(said))
        case "boolean" if said.lower() in _WORDS:
            return Boolean(value=_WORDS[said.lower()])
        case "enum":
            return String(value=one_of(kind.values, said))
        case "attr-ref":
            found = attribute(said, attributes)
            return reference(found.id, found.name)
    raise Cannot(f"{said!r} is no {kind}")


def one_of(values: tuple[str, ...], said: str) -> str:
    """The value of an enum that is said. Raises Cannot."""
    folded = re.sub(r"[\s-]+", "_", said.strip().lower())
    for value in values:
        if re.sub(r"[\s-]+", "_", value.lower()) == folded:
            return value
    raise Cannot(f"{said!r} is none of {', '.join(values[:12])}")


def _money(said: str) -> Value:
    match = _AMOUNT.fullmatch(said)
    unit = match and (match[1] or match[4])
    if not match or not unit or unit not in CURRENCIES or (match[1] and match[4]):
        raise Cannot(f"{said!r} is no amount with its currency")
    return number(Decimal(match[2].replace(",", "")) * _TIMES.get(match[3] or "", 1), unit)


def _day(said: str) -> str:
    match = _DAY.fullmatch(said)
    if match and (month := _MONTHS.get(match[2].lower())):
        try:
            return date(int(match[3]), month, int(match[1])).isoformat()
        except ValueError:
            raise Cannot(f"{said!r} is no date") from None
    return said


def attribute(said: str, attributes: list[Attribute]) -> Attribute:
    """The attribute that is called so, by its name or the name's last part. Raises Cannot."""
    folded = re.sub(r"[\s-]+", "_", said.strip().lower())
    found = [a for a in attributes if a.name.lower() in (said.lower(), folded)] or [
        a for a in attributes if a.name.lower().rpartition(".")[2] == folded
    ]
    if not found:
        raise Cannot(f"the dictionary has no attribute {said!r}")
    if len(found) > 1:
        raise Cannot(f"{said!r} may be {' or '.join(a.name for a in found[:5])}")
    return found[0]
