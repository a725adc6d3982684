"""Query files: `sql/projects/get.sql` read, checked and made ready to be sent.

A file is a header (see `header.py`) and one statement. The engine does not send the statement as
it stands but wrapped so that PostgreSQL makes the JSON; `statement.forms` tells how.

Refused here is what could not be read or not be run as it is meant. What a file should look like
beyond that is for `service/operations/sqlcheck.py`.
"""

import functools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from service.database.findings import Fault, Finding, Source, SqlFilesError
from service.database.header import KINDS, Header, Param, meant
from service.database.lexer import Kind, LexError, Token, scan
from service.database.statement import STARTS, Statement, forms

__all__ = ["Finding", "Query", "SqlFilesError", "load"]

# Queries as they were read last, by name: a file whose text is the same is not read again.
_known: dict[str, "Query"] = {}


@dataclass(frozen=True, slots=True)
class Query:
    """A query as loaded. What only its readers want to know is in `header`."""

    name: str
    kind: str
    params: tuple[Param, ...]
    cursor: tuple[tuple[str, bool], ...]  # (column, descending)
    order: tuple[str, ...]  # parameter names in the order of $n, tenant_id included
    writes: bool  # needs a read-write transaction: changes rows or locks them
    text: str  # the statement as written
    sql: str  # with $n instead of :name, plain rows
    wire: str  # what answers HTTP
    row_sql: str  # one JSON value per row
    header: Header
    source: Source
    start: int  # offset of the statement in the file

    def place(self, position: int) -> int:
        """The offset in the file of a character (from 1, as PostgreSQL counts) of `sql`."""
        return self.start + _taken_apart(self.text).origin(position - 1 - len(_marker(self.name)))


_taken_apart = functools.lru_cache(maxsize=1)(Statement)  # findings come query by query


def load(directory: Path) -> dict[str, Query]:
    """All queries below `directory` by name. Raises SqlFilesError with all findings."""
    queries: dict[str, Query] = {}
    findings: list[Finding] = []
    for path in sorted(directory.rglob("*.sql")):
        if path.name.startswith("."):
            continue  # what editors leave behind
        source = Source(path)
        name = ".".join(path.relative_to(directory).with_suffix("").parts)
        known = _known.get(name)
        if known is not None and known.source.text == source.text:
            queries[name] = replace(known, source=source)
        elif not source.findings and (query := _read(source, name)) is not None:
            queries[name] = _known[name] = query
        findings += source.findings
    if findings:
        raise SqlFilesError(findings, queries)
    return queries


def _read(source: Source, name: str) -> Query | None:
    """The query of this name, which is the path's; None when there are findings."""
    header = Header(source)
    source.note(_check_name(source, header, name))
    if (tokens := _tokens(source, header)) is None:
        return None
    start = tokens[0].start
    statement = Statement(source.text[start : tokens[-1].end])
    source.note(_check_params(header, statement, start))
    source.note(_check_kind(header, statement, start))
    source.note(_check_page(header))
    if source.findings:
        return None
    sent = forms(statement, header.kind, header.etag, list(header.cursor))
    sql, wire, row_sql = (_marker(name) + form for form in sent)
    return Query(
        name=name, kind=header.kind, params=tuple(header.params.values()),
        cursor=tuple(header.cursor.items()), order=statement.order,
        writes=statement.writes or header.route == "primary", text=statement.text,
        sql=sql, wire=wire, row_sql=row_sql, header=header, source=source, start=start,
    )  # fmt: skip


def _marker(name: str) -> str:
    """What names the query in PostgreSQL's own views and logs."""
    return f"/* quarry:{name} */ "


def _tokens(source: Source, header: Header) -> list[Token] | None:
    """The one statement's tokens."""
    try:
        tokens = [token for token in scan(source.text) if token.start >= header.end]
    except LexError as error:
        source.find(error.offset, "unterminated", str(error))
        return None
    code = [token for token in tokens if token.kind is not Kind.COMMENT]
    stop = next((i for i, t in enumerate(code) if t.kind is Kind.SEMICOLON), len(code))
    second = next((t for t in code[stop:] if t.kind is not Kind.SEMICOLON), None)
    if second is not None:
        hint = "put it into a file of its own, or into a WITH list"
        source.find(second.start, "second_statement", "a file holds one statement", hint)
    for token in code:
        if token.kind is Kind.POSITIONAL:
            source.find(token.start, "positional", f"declare a name for {token.text}: write :name")
    if stop == 0:
        source.find(header.end, "empty", "there is no statement below the header")
    return code[:stop] or None


def _check_name(source: Source, header: Header, name: str) -> Iterator[Fault]:
    if ("name", "") not in header.places:
        hint = f'write "-- name: {name} :one"; kinds: {", ".join(KINDS)}'
        yield 0, "name_missing", 'there is no "name:" line', hint
    elif header.name:
        at = header.places["name", ""]
        if header.name != name:
            yield at, "name_not_path", f"the path says {name}, the name {header.name}", ""
        if header.kind not in KINDS:
            hint = meant(header.kind, KINDS) or f"known: {', '.join(KINDS)}"
            at = source.text.index(f":{header.kind}", at)
            yield at, "unknown_kind", f'unknown kind ":{header.kind}"', hint


def _check_params(header: Header, statement: Statement, start: int) -> Iterator[Fault]:
    for name, token in statement.placeholders.items():
        if name not in {*header.params, "tenant_id"}:
            hint = meant(name, header.params) or f'add "-- param: {name} type"'
            yield start + token.start, "param_undeclared", f":{name} is not declared", hint
    for name in header.params.keys() - statement.placeholders:
        at = header.places["param", name]
        yield at, "param_unused", f'"{name}" is declared but not used', ""


def _check_kind(header: Header, statement: Statement, start: int) -> Iterator[Fault]:
    kind, verb = header.kind, statement.verb
    if verb not in STARTS:
        hint = f"a statement begins with {', '.join(sorted(STARTS))} or WITH"
        yield start, "not_a_query", "neither a query nor a change of rows", hint
    elif kind == "affected" and not statement.changes:
        yield start, "change_missing", ":affected wants INSERT, UPDATE, DELETE or MERGE", ""
    elif statement.changes and not statement.returning and kind != "affected":
        yield start, "returning_missing", f"{verb} answers :{kind} by RETURNING only", ""
    if statement.writes and (kind in {"page", "stream"} or header.route == "replica"):
        hint = "no INSERT, UPDATE, DELETE, MERGE and no row locks"
        yield start, "write_unexpected", "pages, streams and replicas only read", hint


def _check_page(header: Header) -> Iterator[Fault]:
    if header.kind != "page":
        return
    places, count = header.places, len(header.cursor)
    after = [param for param in header.params.values() if param.name.startswith("after_")]
    if ("cursor", "") not in places:
        yield places["name", ""], "cursor_missing", ":page wants a cursor", 'add "-- cursor: id"'
    elif len(after) != count:
        hint = "declare one after_… for each cursor column, in its order"
        message = f"{count} cursor columns, {len(after)} parameters after_…"
        yield places["cursor", ""], "cursor_params", message, hint
    for name in (param.name for param in after if not param.nullable):
        at = places["param", name]
        yield at, "cursor_params", f"{name} is NULL on the first page", 'add "?" to its type'
    if "limit" not in header.params or header.params["limit"].type not in {"int", "bigint"}:
        yield places["name", ""], "limit_missing", 'add "-- param: limit int?" to a page', ""
