"""Rules that the query files keep, beyond what loading refuses.

| code | rule |
|---|---|
| star | columns are named one by one |
| unqualified | tables carry their schema |
| tenant_predicate | each tenant-scoped table is held to `tenant_id = :tenant_id`, directly or by way of another table that is |
| tenant_insert | an INSERT writes tenant_id, from :tenant_id or from a table held to it |
| tenant_conflict | ON CONFLICT … DO UPDATE meets rows of the own tenant only |
| tenant_changed | no UPDATE moves a row to another tenant |
| unguarded | UPDATE and DELETE have a WHERE |
| cursor_order | a page is ordered exactly as its cursor says |
| cursor_total | that order is total: it ends in id, or its columns make a row unique |
| cursor_limit | a page has LIMIT :limit, and no OFFSET |
| name_keyword | Python can write the name: sql.folder.file |
| header_misplaced | header lines stand above the statement |
| cursor_unexpected | a cursor is for :page |
| etag_unexpected | an etag is for :one |
| too_long | asyncpg caches its plan: a longer statement is parsed and planned anew on each call |
| null_unexpected | :affected has no columns |
| allow_unknown | a file excepts itself from rules that there are only |
| unparsed | PostgreSQL's parser takes the text |

Against the live schema, by `database/contract.py` and `answer_rules.py`:

| code | rule |
|---|---|
| tenant_type | :tenant_id is a uuid |
| param_differs | a parameter has the type that its header line says |
| cursor_differs | a parameter after_… has its cursor column's type |
| cursor_unknown | the cursor's columns are in the answer |
| cursor_nullable | and none of them may be NULL |
| etag_unknown | the column behind the ETag is in the answer |
| value_columns | :value has one column |
| column_duplicate | columns have different names |
| column_unnamed | columns have names |
| null_unknown | what may be NULL is in the answer |
| null_undeclared | a column that may be NULL is declared so |
| null_superfluous | a column that is NOT NULL is not |

`-- allow: CODE reason` in a file's header excepts that file.
"""  # noqa: E501  (a table)

import keyword
import re
from collections.abc import Iterator, Mapping
from typing import Final

from service.database.findings import Fault
from service.database.header import KINDS, WORDS, split
from service.database.lexer import Kind, scan
from service.database.queries import Finding, Query
from service.operations import page_rules, statement_rules
from service.operations.live_schema import Catalog, read_catalog
from service.operations.parse_tree import ParseError, parse

__all__ = ["Catalog", "check", "read_catalog"]

CODES: Final = frozenset(re.findall(r"^\| ([a-z_]+) \|", __doc__, re.MULTILINE)) - {"code"}
MAX_WIRE_BYTES: Final = 15 * 1024  # asyncpg's own bound for what it caches
# The kinds that a header word says something of.
_KINDS_OF: Final = {"cursor": {"page"}, "etag": {"one"}, "null": {*KINDS} - {"affected"}}


def check(queries: Mapping[str, Query], catalog: Catalog) -> list[Finding]:
    """All findings of all queries, but those that a file allows. Raises ToolMissingError."""
    return sorted(
        query.source.finding(fault)
        for query in queries.values()
        for fault in [*_file(query), *_statement(query, catalog)]
        if fault[1] not in query.header.allow
    )


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
    for code in sorted(query.header.allow.keys() - CODES):
        yield places["allow", ""], "allow_unknown", f"no rule is called {code}", ""


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
    for offset, code, message in found:
        yield query.place(offset + 1), code, message, ""
