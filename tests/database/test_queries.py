"""Query files: what is accepted, what is refused and where, and what is sent."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pglast import parse_sql
from pglast.parser import ParseError
from pglast.parser import scan as postgres_scan

from service.database.lexer import LexError
from service.database.queries import Finding, Query, SqlFilesError, load
from service.database.statement import Statement
from service.database.tree import QueryName, sql
from service.operations import stubs
from service.operations.psql import psql_form

SQL = Path(__file__).parents[2] / "sql"

GOOD = """\
-- name: things.get :one
-- One thing.
-- param: thing_id uuid   which one
-- null: note
-- etag: version
SELECT t.id, t.note, t.version FROM app.things AS t
 WHERE t.tenant_id = :tenant_id AND t.id = :thing_id;
"""
PAGE = """\
-- name: things.list :page
-- param: after_id uuid?
-- param: limit int?
-- cursor: id
SELECT t.id FROM app.things AS t
 WHERE t.id > coalesce(:after_id::uuid, '00000000-0000-0000-0000-000000000000')
 ORDER BY t.id LIMIT :limit
"""


def _write(folder: Path, text: str | bytes, name: str = "things/get.sql") -> Path:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def _one(folder: Path, text: str, name: str = "things/get.sql") -> Query:
    path = _write(folder, text, name)
    return load(folder)[f"{path.parent.name}.{path.stem}"]


def _refused(folder: Path) -> list[Finding]:
    with pytest.raises(SqlFilesError) as caught:
        load(folder)
    assert all(str(finding) in str(caught.value) for finding in caught.value.findings)
    return caught.value.findings


def test_a_good_file(tmp_path: Path) -> None:
    query = _one(tmp_path, GOOD)
    assert (query.name, query.kind, query.header.prose) == ("things.get", "one", ["One thing."])
    assert query.params == (("thing_id", "uuid", False, "which one"),)
    assert (list(query.header.nulls), query.header.etag) == (["note"], "version")
    assert query.order == ("tenant_id", "thing_id")
    assert not query.writes
    assert query.text.endswith(":thing_id")
    assert query.sql.startswith("/* quarry:things.get */ SELECT t.id")
    assert query.sql.endswith("t.tenant_id = $1 AND t.id = $2")
    assert "q.version::text AS etag, row_to_json(q) AS body FROM (\n" in query.wire


BODY = "SELECT t.id FROM app.things AS t"
NAMED = "-- name: things.get :one\n"
PAGED = "-- name: things.get :page\n"
REFUSED = [
    ("", "name_missing", 1, 1),
    (NAMED, "empty", 2, 1),
    (BODY, "name_missing", 1, 1),
    ("-- name: things.get\n" + BODY, "name_malformed", 1, 10),
    ("-- name: things.other :one\n" + BODY, "name_not_path", 1, 10),
    ("-- name: things.get :many_rows\n" + BODY, "unknown_kind", 1, 21),
    (NAMED + NAMED + BODY, "header_duplicate", 2, 10),
    (NAMED + "-- parm: a int\n" + BODY, "header_unknown", 2, 4),
    (NAMED + "-- Param: a int\n" + BODY, "header_malformed", 2, 4),
    (NAMED + "-- param a int\n" + BODY, "header_malformed", 2, 4),
    (NAMED + "-- etag:\n" + BODY, "header_malformed", 2, 4),
    (NAMED + "-- etag: a, b\n" + BODY, "header_malformed", 2, 10),
    (NAMED + "-- null: a, a\n" + BODY, "header_malformed", 2, 13),
    (NAMED + "-- budget: quick\n" + BODY, "header_malformed", 2, 12),
    (NAMED + "-- route: moon\n" + BODY, "header_malformed", 2, 11),
    (NAMED + "-- allow: star\n" + BODY, "header_malformed", 2, 11),
    (NAMED + "-- param: a\n" + BODY, "param_malformed", 2, 11),
    (NAMED + "-- param: a string\n" + BODY + " WHERE :a", "param_type", 2, 13),
    (NAMED + "-- param: a int\n-- param: a int\n" + BODY + " WHERE :a", "param_duplicate", 3, 11),
    (NAMED + "-- param: tenant_id uuid\n" + BODY, "param_reserved", 2, 11),
    (NAMED + "-- param: a int\n" + BODY, "param_unused", 2, 11),
    (NAMED + BODY + "\n WHERE t.id = :a", "param_undeclared", 3, 15),
    (NAMED + BODY + "\n WHERE t.id = $1", "positional", 3, 15),
    (NAMED + BODY + ";\nSELECT 2", "second_statement", 3, 1),
    (NAMED + BODY + " WHERE t.name = 'open", "unterminated", 2, 49),
    (NAMED + BODY + " /* open /* */", "unterminated", 2, 34),
    (NAMED.encode() + b"SELECT 'caf\xe9'", "not_utf8", 2, 12),
    (NAMED + "SELECT 'a\0'", "not_utf8", 2, 10),
    ("\ufeff" + NAMED + BODY, "not_utf8", 1, 1),
    (NAMED + "DROP TABLE app.things", "not_a_query", 2, 1),
    (NAMED + "WITH a AS (SELECT 1)", "not_a_query", 2, 1),
    (NAMED + "DELETE FROM app.things AS t WHERE true", "returning_missing", 2, 1),
    ("-- name: things.get :affected\n" + BODY, "change_missing", 2, 1),
    ("-- name: things.get :stream\n" + BODY + " FOR UPDATE", "write_unexpected", 2, 1),
    (NAMED + "-- route: replica\n" + BODY + " FOR UPDATE", "write_unexpected", 3, 1),
    (PAGED + "-- param: limit int\n" + BODY + " LIMIT :limit", "cursor_missing", 1, 10),
    (PAGED + "-- cursor: id\n-- param: limit int\n" + BODY + " LIMIT :limit",
     "cursor_params", 2, 12),
    (PAGED + "-- cursor: id\n-- param: after_id uuid?\n" + BODY + " WHERE :after_id",
     "limit_missing", 1, 10),
    (PAGED + "-- cursor: id down\n" + BODY, "header_malformed", 2, 12),
]  # fmt: skip


@pytest.mark.parametrize(("text", "code", "line", "column"), REFUSED, ids=lambda v: str(v)[:40])
def test_a_broken_file_is_refused_at_its_place(
    tmp_path: Path, text: str | bytes, code: str, line: int, column: int
) -> None:
    path = _write(tmp_path, text)
    findings = _refused(tmp_path)
    assert (path, line, column, code) in [f[:4] for f in findings], "\n".join(map(str, findings))
    assert str(findings[0]).startswith(f"{path}:")


def test_all_findings_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    _write(tmp_path, NAMED + "-- param: a int\n-- param: b strange\nSELECT :c, $1; SELECT 2")
    _write(tmp_path, "SELECT 'open", "things/other.sql")
    _write(tmp_path, NAMED + BODY, "top.sql")
    codes = {(f.path.name, f.code) for f in _refused(tmp_path)}
    assert codes >= {
        ("get.sql", "param_unused"), ("get.sql", "param_type"), ("get.sql", "param_undeclared"),
        ("get.sql", "positional"), ("get.sql", "second_statement"), ("other.sql", "name_missing"),
        ("other.sql", "unterminated"), ("top.sql", "name_not_path"),
    }  # fmt: skip


def test_a_finding_shows_the_line_and_says_what_was_meant(tmp_path: Path) -> None:
    _write(tmp_path, GOOD.replace("= :thing_id", "= :thing_ids"))
    finding = next(f for f in _refused(tmp_path) if f.code == "param_undeclared")
    assert str(finding).splitlines()[1:] == [
        "     WHERE t.tenant_id = :tenant_id AND t.id = :thing_ids;",
        f"    {' ' * 44}^".replace(" " * 44, " " * (finding.column - 1)),
        '    did you mean "thing_id"?',
    ]


def test_files_that_editors_leave_are_no_queries(tmp_path: Path) -> None:
    _write(tmp_path, GOOD)
    _write(tmp_path, "nothing", "things/.get.sql")
    _write(tmp_path, "nothing", "things/get.sql~")
    assert list(load(tmp_path)) == ["things.get"]


WIRE = [
    ("one", BODY, "NULL::text AS etag, row_to_json(q) AS body FROM (\n", False),
    ("many", BODY, "coalesce(json_agg(row_to_json(q)), '[]'::json) AS items FROM (\n", False),
    ("value", BODY, BODY, False),
    ("stream", BODY, "SELECT row_to_json(q) AS item FROM (\n", False),
    ("one", "DELETE FROM app.things AS t WHERE true RETURNING t.id", "WITH q AS (\nDELETE", True),
    ("affected", "DELETE FROM app.things AS t WHERE true", "RETURNING 1\n)\nSELECT count(*)", True),
    ("one", "WITH a AS (SELECT 1 AS id) -- why\nSELECT a.id FROM a",
     "),\nq AS (\nSELECT a.id", False),
    ("one", "WITH RECURSIVE a(n) AS (SELECT 1) SELECT a.n FROM a", "WITH RECURSIVE a(n)", False),
    ("one", "WITH update AS (SELECT 1 AS id) SELECT u.id FROM update AS u",
     "q AS (\nSELECT u.id", False),
    ("one", "WITH a AS (DELETE FROM app.things AS t WHERE true RETURNING t.id) SELECT a.id FROM a",
     "q AS (\nSELECT a.id", True),
    ("one", "WITH a AS NOT MATERIALIZED (UPDATE app.things AS t SET n = 1 WHERE true"
     " RETURNING t.id) SELECT a.id FROM a", "q AS (\nSELECT a.id", True),
    ("one", "WITH a AS (SELECT 1 AS id) (SELECT a.id FROM a)", "q AS (\n(SELECT a.id", False),
    ("one", "WITH q AS (SELECT 1 AS id) SELECT q.id FROM q", "q_ AS (\nSELECT q.id", False),
    ("one", 'SELECT 1 AS "q"', "row_to_json(q_)", False),
    ("one", BODY + " FOR UPDATE", "FOR UPDATE\n) AS q", True),
    ("one", "SELECT substring('abc' FOR 2) AS id", "FOR 2) AS id\n) AS q", False),
    ("one", "SELECT 1 AS id -- the end", "SELECT 1 AS id\n) AS q", False),
    ("one", "(SELECT 1 AS id) UNION (SELECT 2)",
     "(\n(SELECT 1 AS id) UNION (SELECT 2)\n) AS q", False),
    ("one", "VALUES (1)", "(\nVALUES (1)\n) AS q", False),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "statement", "part", "writes"), WIRE)
def test_what_is_sent(tmp_path: Path, kind: str, statement: str, part: str, writes: bool) -> None:
    query = _one(tmp_path, f"-- name: things.get :{kind}\n{statement}")
    assert part in query.wire
    assert query.writes is writes
    for text in (query.sql, query.wire, query.row_sql):
        assert text.startswith("/* quarry:things.get */ ")
        assert len(parse_sql(text)) == 1


def test_a_parameter_never_grows_into_the_word_before_it(tmp_path: Path) -> None:
    query = _one(tmp_path, PAGE.replace("LIMIT :limit", "LIMIT:limit"), "things/list.sql")
    assert query.sql.endswith("LIMIT $2")


_WORDS = st.sampled_from(
    ["SELECT", "a", ":p", ":q", "'it''s :no'", "E'\\':no'", "$$:no$$", '":no"', "/* :no */",
     "::int", "[1:n]", "[:p]", "(", ")", ",", "\n", "-- :no\n", "1e5", ":=", "é", "+", "WITH",
     "FOR", "UPDATE"]
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(_WORDS, st.sampled_from(["", " "])), min_size=1, max_size=12))
def test_postgres_finds_exactly_our_parameters(pieces: list[tuple[str, str]]) -> None:
    text = "".join(word + space for word, space in pieces).strip()
    try:
        statement = Statement(text)
        sent = statement.numbered()
        seen = [t for t in postgres_scan(sent) if t.name == "PARAM"]
    except (LexError, ParseError):
        return
    ours = [t for t in statement.tokens if t.kind.value == "placeholder"]
    assert len(seen) == len(ours)
    for param, token in zip(seen, ours, strict=True):
        assert statement.origin(param.start) == token.start
        assert sent[param.start : param.end + 1] == f"${statement.order.index(token.text[1:]) + 1}"


def test_a_place_in_the_sent_text_is_found_in_the_file(tmp_path: Path) -> None:
    query = _one(tmp_path, GOOD)

    def place(position: int) -> tuple[int, int]:
        finding = query.source.finding((query.place(position), "", "", ""))
        return finding.line, finding.column

    assert place(query.sql.index("t.tenant_id") + 1) == (7, 8)
    assert place(query.sql.index("t.id = $2") + 1) == (7, 37)
    assert place(query.sql.index("$2") + 1) == (7, 44)
    assert place(1) == (6, 1)


def test_names_are_strings_made_once() -> None:
    assert sql.projects.get == "projects.get"
    assert isinstance(sql.projects.get, QueryName)
    assert sql.projects.get is sql.projects.get


def test_the_stubs_are_fresh() -> None:
    assert stubs.PATH.read_text() == stubs.render(load(SQL)), "run: quarry sql stubs"


MISUSES = """
import uuid
from service.database.session import Session
from service.database.tree import sql

async def use(db: Session) -> None:
    await db.one(sql.projects.get, project_id=uuid.uuid4())
    await db.page(sql.projects.list, 50, None, status="active")
    await db.one(sql.projects.get, projekt_id=uuid.uuid4())  # wrong name
    await db.one(sql.projects.get, project_id=1)  # wrong type
    await db.many(sql.projects.get, project_id=uuid.uuid4())  # wrong kind
    await db.one(sql.projects.gte, project_id=uuid.uuid4())  # no such query
"""


def test_mypy_finds_wrong_names_types_and_kinds(tmp_path: Path) -> None:
    path = tmp_path / "misuse.py"
    path.write_text(MISUSES)
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--cache-dir",
        str(tmp_path / "cache"),
        str(path),
    ]
    done = subprocess.run(command, cwd=SQL.parent, capture_output=True, text=True, check=False)
    wrong = [
        line for line in done.stdout.splitlines() if line.startswith(str(path)) and "error" in line
    ]
    lines = {int(line.split(":")[1]) for line in wrong}
    assert lines == {9, 10, 11, 12}, done.stdout


def test_the_psql_form_gives_every_parameter_a_value(tmp_path: Path) -> None:
    query = _one(
        tmp_path, PAGE.replace("t.id > ", "t.tenant_id = :tenant_id AND t.id > "), "things/list.sql"
    )
    lines = psql_form(query).splitlines()
    assert r"\set tenant_id '\'00000000-0000-0000-0000-000000000000\''" in lines
    assert r"\set after_id 'NULL'" in lines
    assert r"\set limit '1'" in lines
    assert lines[-1] == ";"
    assert query.text in psql_form(replace(query, order=()))
