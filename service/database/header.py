"""The header of a query file: the `--` lines above the statement.

-- name: projects.list :page           folder.file and the kind
-- Prose.
-- param: status text?  only these     name, type, `?` when it may be NULL, free text
-- null: deleted_at, current_step      result columns that may be NULL
-- cursor: updated_at desc, id desc    order of a :page
-- etag: version                       column behind the ETag of a :one
-- plan: index                         also: budget: 200 buffers, allow: CODE reason, and
-- route: replica                      may be read there; primary: it writes through a function
"""

import difflib
import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from service.database.findings import Source

__all__ = ["KINDS", "TYPES", "WORDS", "Header", "Param", "meant", "split"]

KINDS: Final = ("one", "many", "page", "value", "affected", "stream")
TYPES: Final = (
    "uuid", "text", "smallint", "int", "bigint", "numeric", "float8", "boolean", "timestamptz",
    "date", "interval", "json", "jsonb", "inet", "bytea",
)  # fmt: skip
_ALIASES: Final = {
    "integer": "int", "int4": "int", "int8": "bigint", "int2": "smallint", "bool": "boolean",
    "varchar": "text", "string": "text", "timestamp": "timestamptz", "decimal": "numeric",
    "double": "float8", "float": "float8", "real": "float8",
}  # fmt: skip

_COLUMN: Final = r"[a-z_][a-z0-9_]*"
_SORTED: Final = rf"({_COLUMN})(?:\s+(asc|desc))?"
_PARAM: Final = rf"({_COLUMN})\s+([A-Za-z][A-Za-z0-9_]*(?:\[\])?)(\?)?(?:\s+(.*))?"
# Word → what its value looks like, and what to write instead of anything else.
WORDS: Final = {
    "name": (r"([a-z][a-z0-9_]*\.[a-z][a-z0-9_]*)\s+:([A-Za-z_]+)", 'write "folder.file :kind"'),
    "param": (_PARAM, 'write "-- param: name type" or "-- param: name type?  note"'),
    "null": (rf"{_COLUMN}(?:\s*,\s*{_COLUMN})*", 'write "deleted_at, current_step"'),
    "cursor": (rf"{_SORTED}(?:\s*,\s*{_SORTED})*", 'write "updated_at desc, id"'),
    "etag": (_COLUMN, "name one result column"),
    "plan": ("index", 'known: "index"'),
    "route": ("replica|primary", 'known: "replica", "primary"'),
    "budget": (r"([1-9][0-9]*) buffers", 'write "200 buffers": pages of 8 KiB that it may touch'),
    "allow": (r"([a-z][a-z0-9_]*)\s+(\S.*)", "write the finding's code and a reason"),
}
_MANY: Final = frozenset({"param", "null", "allow"})  # these may stand in several lines
_LINE: Final = re.compile(r"(?:([A-Za-z_]+)(:(?!/)|))?[ \t]*(.*)")


class Param(NamedTuple):
    """A declared parameter; `type` as written (`text`, `uuid[]`)."""

    name: str
    type: str
    nullable: bool
    note: str


class Header:
    """A header, read; what is wrong with it becomes findings of the source.

    `places` has the offset in the file of every word's value, ("cursor", ""), right or wrong,
    and of every name in it, ("cursor", "id"). `end` is the offset behind the header.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._once: dict[str, re.Match[str]] = {}  # values of words that stand once
        self.prose: list[str] = []
        self.params: dict[str, Param] = {}
        self.nulls: dict[str, bool] = {}
        self.cursor: dict[str, bool] = {}  # column → whether descending
        self.allow: dict[str, str] = {}  # code of a finding → reason why it is fine here
        self.places: dict[tuple[str, str], int] = {}
        self.end = self._read()
        self.name, self.kind = self._once["name"].groups() if "name" in self._once else ("", "")
        self.etag, self.plan, self.route = map(self._text, ("etag", "plan", "route"))
        self.budget = int(self._once["budget"][1]) if "budget" in self._once else None

    def _text(self, word: str) -> str | None:
        return self._once[word][0] if word in self._once else None

    def _read(self) -> int:
        at = 0
        for raw in self._source.text.split("\n"):
            line = raw.strip()
            if line.startswith("--"):
                content = line[2:].strip()
                self._read_line(content, at + raw.index(content, raw.index("--") + 2))
            elif line or self.places or self.prose:
                break
            at += len(raw) + 1
        return min(at, len(self._source.text))

    def _read_line(self, content: str, at: int) -> None:
        word, colon, value = split(content)
        known = word.lower() in WORDS and (colon or word == "param")
        if word in WORDS and colon and value:
            self._read_value(word, at + len(content) - len(value), at + len(content))
        elif known or (word.islower() and colon):
            hint = f'write "{word.lower()}: …"' if known else meant(word, WORDS)
            hint = hint or f"known: {', '.join(WORDS)}; prose begins with a capital letter"
            code = "header_malformed" if known else "header_unknown"
            self._source.find(at, code, f'"{content}" is no header line', hint)
        elif content:
            self.prose.append(content)

    def _read_value(self, word: str, start: int, end: int) -> None:
        shape, hint = WORDS[word]
        match = re.compile(shape).fullmatch(self._source.text, start, end)
        if word not in _MANY and (word, "") in self.places:
            self._source.find(start, "header_duplicate", f'a second "{word}:"')
        elif match is None:
            code = f"{word}_malformed" if word in {"name", "param"} else "header_malformed"
            message = f'"{self._source.text[start:end]}" after "{word}:"'
            self._source.find(start, code, message, hint)
        elif word == "param":
            self._read_param(match)
        elif word == "allow":
            self.allow[match[1]] = match[2]
            self.places["allow", match[1]] = start
        elif word in {"null", "cursor"}:
            self._read_columns(word, match)
        else:
            self._once[word] = match
            self.places[word, match[0]] = start
        self.places.setdefault((word, ""), start)

    def _read_param(self, match: re.Match[str]) -> None:
        name, kind, nullable, note = match.groups()
        base = kind.removesuffix("[]")
        if base not in TYPES:
            alias = _ALIASES.get(base.lower())
            hint = meant(alias or base, TYPES) or f"known: {', '.join(TYPES)}"
            self._source.find(match.start(2), "param_type", f'unknown type "{kind}"', hint)
        if name == "tenant_id":
            message, hint = "tenant_id is filled by the session", "use it without declaring it"
            self._source.find(match.start(), "param_reserved", message, hint)
        elif name in self.params:
            self._source.find(match.start(), "param_duplicate", f'"{name}" is declared twice')
        else:
            self.params[name] = Param(name, kind, bool(nullable), note or "")
            self.places["param", name] = match.start()

    def _read_columns(self, word: str, match: re.Match[str]) -> None:
        columns = self.nulls if word == "null" else self.cursor
        for item in re.compile(_SORTED).finditer(match.string, *match.span()):
            if item[1] in columns:
                self._source.find(item.start(), "header_malformed", f'"{item[1]}" stands twice')
            columns[item[1]] = item[2] == "desc"
            self.places[word, item[1]] = item.start()


def split(content: str) -> tuple[str, str, str]:
    """Word, colon and value of a header line; what is not there is ""."""
    match = _LINE.match(content)
    word, colon, value = match.groups(default="") if match else ("", "", "")
    return word, colon, value


def meant(word: str, known: Iterable[str]) -> str:
    """A question for the known word that looks most like this one, "" when none does."""
    close = difflib.get_close_matches(word.lower(), list(known), 1)
    return f'did you mean "{close[0]}"?' if close else ""
