"""What the tokens tell of a statement, and how it is wrapped so that PostgreSQL makes the JSON."""

import functools
import re
from collections.abc import Sequence
from typing import Final

from service.database.lexer import Kind, Token, scan

__all__ = ["CHANGES", "STARTS", "Statement", "forms"]

CHANGES: Final = frozenset({"INSERT", "UPDATE", "DELETE", "MERGE"})
STARTS: Final = frozenset({*CHANGES, "SELECT", "VALUES", "TABLE"})
# A change in a WITH list, or a row lock, which read-only transactions refuse as well.
_CHANGE: Final = rf"\b(?:AS|MATERIALIZED) \( (?:{'|'.join(CHANGES)})\b"
_LOCK: Final = r"\bFOR (?:UPDATE|SHARE|NO KEY UPDATE|KEY SHARE)\b"
_OPAQUE: Final = frozenset({Kind.STRING, Kind.DOLLAR, Kind.QUOTED, Kind.PLACEHOLDER})


class Statement:
    """One statement, taken apart as far as tokens can tell. Raises LexError.

    `main` is the index of the first token behind the WITH list: 0 without one, -1 when nothing
    follows it. `verb` is the main statement's first word, "" when it does not begin with one.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = _code(text)
        self.placeholders: dict[str, Token] = {}  # the first of each name
        for token in self.tokens:
            if token.kind is Kind.PLACEHOLDER:
                self.placeholders.setdefault(token.text[1:], token)
        self.order = tuple(self.placeholders)
        self._words = ["?" if t.kind in _OPAQUE else t.text.upper() for t in self.tokens]
        self._outer = self._outermost()
        self.main = self._main()
        body = self._words[self.main :] if self.main >= 0 else []
        self.verb = next((word for word in body if word != "("), "")
        self.changes = self.verb in CHANGES
        self.writes = self.changes or bool(re.search(f"{_CHANGE}|{_LOCK}", " ".join(self._words)))
        self.returning = self.changes and "RETURNING" in map(self._words.__getitem__, self._outer)

    def mentions(self, name: str) -> bool:
        """Whether any table, alias or column may be called so."""
        return name in {token.text.strip('"').lower() for token in self.tokens}

    def numbered(self, start: int = 0, end: int | None = None) -> str:
        """The tokens from `start` to `end` (exclusive) as text with $n, and what is in between."""
        tokens = self.tokens[start:end]
        sent, at = "", tokens[0].start if tokens else 0
        for token in tokens:
            sent += self.text[at : token.start]
            if token.kind is Kind.PLACEHOLDER:
                # "LIMIT:n" must not become the name "LIMIT$1".
                glued = sent[-1:].isalnum() or sent[-1:] in {"_", "$"} or sent[-1:] > "\x7f"
                sent += f"{' ' if glued else ''}${self.order.index(token.text[1:]) + 1}"
            else:
                sent += token.text
            at = token.end
        return sent

    def origin(self, offset: int) -> int:
        """The offset in `text` of an offset in `numbered()`, which has the same tokens."""
        for sent, own in zip(_code(self.numbered()), self.tokens, strict=True):
            if offset < sent.end:
                inside = 0 if own.kind is Kind.PLACEHOLDER else max(offset - sent.start, 0)
                return own.start + inside
        return len(self.text)

    def _outermost(self) -> list[int]:
        """The tokens outside of all brackets, opening ones included."""
        found, depth = [], 0
        for index, token in enumerate(self.tokens):
            depth -= token.kind is Kind.CLOSE
            if depth == 0 and token.kind is not Kind.CLOSE:
                found.append(index)
            depth += token.kind is Kind.OPEN
        return found

    def _main(self) -> int:
        if self._words[:1] != ["WITH"]:
            return 0
        for index in self._outer[1:]:
            before, word = self._words[index - 1], self._words[index]
            if word == "(" and before == ")":
                return index  # WITH a AS (…) (SELECT …)
            if word in STARTS and before not in {",", "WITH", "RECURSIVE"}:
                return index
        return -1


@functools.lru_cache(maxsize=2)  # of one statement, as written and as sent
def _code(text: str) -> list[Token]:
    return [token for token in scan(text) if token.kind is not Kind.COMMENT]


def forms(
    statement: Statement, kind: str, etag: str | None, cursor: Sequence[str]
) -> tuple[str, str, str]:
    """The three texts that are sent for a statement: plain rows, HTTP's answer, one JSON a row.

    The second has these columns, by kind: one: etag (text or NULL), body · many: items ·
    affected: their number · page: items, cursor (or NULL), where `:limit` is one more than the
    rows wanted and the cursor holds the last item's cursor columns as text, if the further row
    is there.
    """
    sql = statement.numbered()
    if kind == "value":
        return sql, sql, sql
    row = "q"
    while statement.mentions(row):  # it must mean the row, never a column or a table
        row += "_"
    before, source = _source(statement, row, counted=kind == "affected")
    row_sql = f"{before}SELECT row_to_json({row}) AS item FROM {source}"  # noqa: S608
    if kind == "stream":
        return sql, row_sql, row_sql
    limit = f"${statement.order.index('limit') + 1}" if kind == "page" else ""
    wire = _wire(kind, row, source, etag=etag, cursor=cursor, limit=limit)
    return sql, before + wire, row_sql


def _source(statement: Statement, row: str, *, counted: bool) -> tuple[str, str]:
    """What stands before the outer SELECT, and what it selects from.

    PostgreSQL takes data-modifying statements in a WITH list at the top level only.
    """
    main = statement.numbered(statement.main)
    if counted and not statement.returning:
        main += "\nRETURNING 1"
    if statement.main:
        return f"{statement.numbered(0, statement.main)},\n{row} AS (\n{main}\n)\n", row
    if statement.changes:
        return f"WITH {row} AS (\n{main}\n)\n", row
    return "", f"(\n{main}\n) AS {row}"


def _wire(
    kind: str, row: str, source: str, *, etag: str | None, cursor: Sequence[str], limit: str
) -> str:
    """The outer SELECT.

    CPU of a page of 50 rows of 10 columns, server and client together (µs, median of 10 rounds,
    which spread by 10 %): array and slice, as here, 184; array of JSON 196; one row per item,
    joined by the client, 197; row_number() and FILTER 213; a CTE read twice 249. The first three
    are close; of them this one is a single row and needs no work in the client. For `:many`,
    json_agg(q) and json_agg(row_to_json(q)) cost the same; the second puts fewer bytes between.
    The cursor comes from JSON, where a timestamp is ISO 8601 with all its microseconds.
    """
    if kind == "one":
        version = f"{row}.{etag}::text" if etag else "NULL::text"
        return f"SELECT {version} AS etag, row_to_json({row}) AS body FROM {source}"  # noqa: S608
    if kind == "many":
        items = f"coalesce(json_agg(row_to_json({row})), '[]'::json)"
        return f"SELECT {items} AS items FROM {source}"  # noqa: S608
    if kind == "affected":
        return f"SELECT count(*) AS affected FROM {source}"  # noqa: S608
    values = ", ".join(f"row_to_json(page.rows[{limit} - 1]) ->> '{name}'" for name in cursor)
    items = f"coalesce(array_to_json(page.rows[: {limit} - 1]), '[]'::json)"
    # Not "rows[n] IS NOT NULL": that is false for a row with a NULL in any column.
    last = f"CASE WHEN cardinality(page.rows) = {limit} THEN json_build_array({values}) END"
    page = f"(SELECT array_agg({row}) AS rows FROM {source}) AS page"  # noqa: S608
    return f"SELECT {items} AS items,\n{last} AS cursor\nFROM {page}"
