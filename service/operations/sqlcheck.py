"""Rules that the query files keep, beyond what loading refuses.

What each code means is in `rules.py`.

`-- allow: CODE reason` in a file's header excepts that file.
"""

import keyword
from collections.abc import Iterator, Mapping
from typing import Final

from service.database.findings import Fault
from service.database.header import KINDS, WORDS, meant, split
from service.database.lexer import Kind, scan
from service.database.queries import Finding, Query
from service.operations import page_rules, statement_rules
from service.operations.live_schema import Catalog, read_catalog
from service.operations.parse_tree import ParseError, parse
from service.operations.rules import RULES, exceptable

__all__ = ["Catalog", "check", "faults", "read_catalog"]

MAX_WIRE_BYTES: Final = 15 * 1024  # asyncpg's own bound for what it caches
# The kinds that a header word says something of.
_KINDS_OF: Final = {"cursor": {"page"}, "etag": {"one"}, "null": {*KINDS} - {"affected"}}


def check(queries: Mapping[str, Query], catalog: Catalog) -> list[Finding]:
    """All findings of all queries, but those that a file allows. Raises ToolMissingError."""
    return sorted(
        query.source.finding(fault)
        for query in queries.values()
        for fault in faults(query, catalog)
        if fault[1] not in query.header.allow
    )


def faults(query: Query, catalog: Catalog) -> list[Fault]:
    """The same of one query, whatever it allows."""
    return [*_file(query), *_statement(query, catalog)]


def _file(query: Query) -> Iterator[Fault]:
    """The rules that need no parse tree."""
    places = query.header.places
    if any(map(keyword.iskeyword, query.name.split("."))):
        yield places["name", ""], "name_keyword", f"Python cannot write sql.{query.name}", ""
    for token in scan(query.source.text):
        if token.start >= query.header.end and token.text.startswith("--"):
            word, colon, _ = split(token.text[2:].strip())
            if token.kind is Kind.COMMENT and colon and word in WORDS:
                hint = "header lines stand above the statement"
                yield token.start, "header_misplaced", f'"{word}:" below the header', hint
    size = max(len(text.encode()) for text in (query.sql, query.wire, query.row_sql))
    if size > MAX_WIRE_BYTES:
        message = f"{size} bytes on the wire, more than {MAX_WIRE_BYTES}"
        yield query.start, "too_long", message, ""
    for word, kinds in _KINDS_OF.items():
        if (word, "") in places and query.kind not in kinds:
            message = f'"{word}:" says nothing of :{query.kind}'
            yield places[word, ""], f"{word}_unexpected", message, ""
    for code in query.header.allow:
        if not exceptable(code):
            known = code in RULES
            message = f"{code} cannot be excepted" if known else f"no rule is called {code}"
            hint = "correct what it finds" if known else meant(code, filter(exceptable, RULES))
            yield places["allow", code], "allow_unknown", message, hint


def _statement(query: Query, catalog: Catalog) -> Iterator[Fault]:
    """The rules that are read from PostgreSQL's own parse tree."""
    try:
        statement = parse(query)
    except ParseError as error:
        yield query.start, "unparsed", str(error), ""
        return
    found = statement_rules.check(query, catalog, statement)
    if query.kind == "page":
        found += page_rules.check(query, catalog, statement)
    for offset, code, message, advice in found:
        # what is excepted is shown to nobody, and hundreds are: their places are not looked up
        place = query.start if code in query.header.allow else query.place(offset + 1)
        yield place, code, message, advice
