"""The contract: what PostgreSQL says of each query, and what comes back from the wrapped forms."""

from __future__ import annotations

import json
import re
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from service.database import contract
from service.database.embedded import BINARIES
from service.database.queries import Query, load
from service.operations import answer_rules, snapshot
from service.operations.psql import psql_form
from tests.support.cluster import Database

SQL = Path(__file__).parents[2] / "sql"
TABLE = """
CREATE TABLE public.things (
    tenant_id uuid NOT NULL, id int NOT NULL, name text NOT NULL, note text,
    at timestamptz NOT NULL, version bigint NOT NULL DEFAULT 1, PRIMARY KEY (tenant_id, id));
INSERT INTO public.things (tenant_id, id, name, at)
SELECT '00000000-0000-0000-0000-000000000001', n, 'thing ' || n,
       timestamptz '2026-01-01 00:00:00.000001+00' + n / 2 * interval '1 microsecond'
  FROM generate_series(1, 7) AS n
"""
PAGE = """\
-- param: after_at timestamptz?
-- param: after_id int?
-- param: limit int?
-- null: note
-- cursor: at desc, id desc
SELECT t.id, t.note, t.at FROM public.things AS t
 WHERE (t.at, t.id) < (coalesce(:after_at::timestamptz, 'infinity'),
                       coalesce(:after_id, 2147483647))
 ORDER BY t.at DESC, t.id DESC
 LIMIT :limit
"""


@pytest.fixture
def things(database: Database) -> Database:
    database.psql(TABLE)
    return database


def _queries(folder: Path, **files: str) -> dict[str, Query]:
    (folder / "things").mkdir(exist_ok=True)
    for name, text in files.items():
        kind, _, rest = text.partition("\n")
        (folder / f"things/{name}.sql").write_text(f"-- name: things.{name} :{kind}\n{rest}")
    return load(folder)


def _codes(database: Database, folder: Path, text: str) -> list[tuple[str, int, int]]:
    queries = _queries(folder, get=text)
    described = contract.describe(database.owner_dsn, queries)
    findings = contract.check(described, queries) + answer_rules.check(described, queries)
    return [(f.code, f.line, f.column) for f in sorted(findings)]


def test_types_and_columns_come_from_the_server(things: Database, tmp_path: Path) -> None:
    queries = _queries(
        tmp_path,
        get="one\n-- param: ids int[]\n-- null: note\n"
        "SELECT t.id, t.note, t.at, count(*) OVER () AS n, ARRAY[t.name] AS names"
        " FROM public.things AS t WHERE t.id = ANY(:ids) AND t.tenant_id = :tenant_id",
    )
    found = contract.describe(things.owner_dsn, queries)["things.get"]
    assert found.params == ("int[]", "uuid")
    assert found.columns == (
        ("id", "int", True),
        ("note", "text", False),
        ("at", "timestamptz", True),
        ("n", "bigint", None),
        ("names", "text[]", None),
    )


THINGS = "FROM public.things AS t"
FINDINGS = [
    (f"one\nSELECT t.id {THINGS}", []),
    (f"one\nSELECT t.id,\n       t.nam {THINGS}", [("prepare_failed", 3, 8)]),
    ("one\nSELECT 1 AS id FROM public.thongs", [("prepare_failed", 2, 21)]),
    (f"one\nSELECT t.note {THINGS}", [("null_undeclared", 2, 8)]),
    (f"one\n-- allow: null_undeclared never\nSELECT t.note {THINGS}", []),
    (f"one\n-- null: note, id\nSELECT t.note, t.id {THINGS}", [("null_superfluous", 2, 16)]),
    (f"one\n-- null: id\nSELECT t.id {THINGS} RIGHT JOIN public.things AS u ON true", []),
    (f"one\n-- null: gone\nSELECT t.id {THINGS}", [("null_unknown", 2, 10)]),
    (f"one\n-- etag: gone\nSELECT t.id {THINGS}", [("etag_unknown", 2, 10)]),
    (f"one\n-- param: a text\nSELECT t.id {THINGS} WHERE t.id = :a", [("param_differs", 2, 11)]),
    (f"one\n-- param: a int\nSELECT t.id {THINGS} WHERE t.version = :a", []),
    (f"one\n-- param: a bigint\nSELECT t.id {THINGS} WHERE t.id = :a", [("param_differs", 2, 11)]),
    (f"one\nSELECT t.id {THINGS} WHERE t.name = :tenant_id", [("tenant_type", 2, 1)]),
    (f"one\nSELECT t.id, t.id {THINGS}", [("column_duplicate", 2, 14)]),
    (f"one\nSELECT t.id + 1 {THINGS}", [("column_unnamed", 2, 8)]),
    (f"value\nSELECT t.id, t.at {THINGS}", [("value_columns", 2, 1)]),
    ("page\n" + PAGE, []),
    ("page\n" + PAGE.replace("after_id int", "after_id bigint"),
     [("cursor_differs", 3, 11), ("param_differs", 3, 11)]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), FINDINGS, ids=lambda v: str(v)[:50])
def test_where_header_and_schema_disagree(
    things: Database, tmp_path: Path, text: str, expected: list[tuple[str, int, int]]
) -> None:
    assert _codes(things, tmp_path, text) == expected


def test_a_refused_query_does_not_hide_the_others(things: Database, tmp_path: Path) -> None:
    queries = _queries(tmp_path, bad="one\nSELECT nope", good=f"one\nSELECT t.id {THINGS}")
    found = contract.describe(things.owner_dsn, queries)
    assert found["things.bad"].refusal is not None
    assert found["things.good"].columns == (("id", "int", True),)


def test_the_rendered_contract_is_stable_and_its_difference_readable(
    things: Database, tmp_path: Path
) -> None:
    old = _queries(
        tmp_path, get=f"one\nSELECT t.id, t.at {THINGS}", gone=f"many\nSELECT t.id {THINGS}"
    )
    before = snapshot.render(contract.describe(things.owner_dsn, old), old)
    assert before == snapshot.render(
        contract.describe(things.owner_dsn, dict(reversed(old.items()))), old
    )
    (tmp_path / "things/gone.sql").unlink()
    new = _queries(
        tmp_path, get=f"one\nSELECT t.id::text AS id {THINGS}", more=f"many\nSELECT t.id {THINGS}"
    )
    after = snapshot.render(contract.describe(things.owner_dsn, new), new)
    assert snapshot.diff(before, before) == ""
    assert snapshot.diff(before, after).splitlines() == [
        "things.get",
        "  BREAKING    column id int → text",
        "  BREAKING    column at is gone (timestamptz)",
        "things.gone",
        "  BREAKING    query is gone",
        "things.more",
        "  compatible  query is new",
    ]


def test_no_database_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConnectionError):
        contract.describe(f"host={tmp_path} port=1", {})


def test_sixty_queries_in_a_tenth_of_a_second(things: Database, tmp_path: Path) -> None:
    one = _queries(tmp_path, list="page\n" + PAGE)["things.list"]
    queries = {f"things.q{n}": replace(one, name=f"things.q{n}") for n in range(60)}
    best = 9.0
    for _ in range(3):
        begin = time.perf_counter()
        assert contract.check(contract.describe(things.owner_dsn, queries), queries) == []
        best = min(best, time.perf_counter() - begin)
    assert best < 0.1


# what the wrapped forms answer


def _sent(database: Database, text: str, values: tuple[object, ...]) -> list[tuple[object, ...]]:
    with psycopg.connect(database.owner_dsn, cursor_factory=psycopg.RawCursor) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        return connection.execute(text.encode(), values).fetchall()


def test_pages_pass_every_row_once_and_keep_microseconds(things: Database, tmp_path: Path) -> None:
    query = _queries(tmp_path, list="page\n" + PAGE)["things.list"]
    assert query.order == ("after_at", "after_id", "limit")
    seen: list[int] = []
    after: tuple[object, object] = (None, None)
    while True:
        [(items, cursor)] = _sent(things, query.wire, (*after, 3 + 1))
        assert isinstance(items, list)
        seen += [item["id"] for item in items]
        if cursor is None:
            break
        assert isinstance(cursor, list)
        assert re.fullmatch(r"2026-01-01T00:00:00\.00000\d\+00:00", cursor[0])
        assert cursor == [items[-1]["at"], str(items[-1]["id"])]
        after = (cursor[0], int(cursor[1]))
    assert seen == [7, 6, 5, 4, 3, 2, 1]


def test_an_empty_and_an_exactly_full_page_have_no_cursor(things: Database, tmp_path: Path) -> None:
    query = _queries(tmp_path, list="page\n" + PAGE)["things.list"]
    [(items, cursor)] = _sent(things, query.wire, (None, None, 7 + 1))
    assert (len(items), cursor) == (7, None)  # type: ignore[arg-type]
    assert _sent(things, query.wire, ("-infinity", None, 4)) == [([], None)]
    assert len(_sent(things, query.row_sql, (None, None, None))) == 7


def test_what_each_kind_answers(things: Database, tmp_path: Path) -> None:
    where = "WHERE t.id < :below ORDER BY t.id"
    queries = _queries(
        tmp_path,
        one=f"one\n-- param: below int\n-- etag: version\nSELECT t.id, t.version {THINGS} {where}",
        many=f"many\n-- param: below int\nSELECT t.id {THINGS} {where}",
        bump="affected\n-- param: below int\n"
        "UPDATE public.things AS t SET version = 2 WHERE t.id < :below",
        take="many\n-- param: below int\n"
        "WITH gone AS (DELETE FROM public.things AS t WHERE t.id < :below RETURNING t.id)"
        " SELECT g.id FROM gone AS g ORDER BY g.id",
    )
    assert _sent(things, queries["things.one"].wire, (2,)) == [("1", {"id": 1, "version": 1})]
    assert _sent(things, queries["things.one"].wire, (0,)) == []
    assert _sent(things, queries["things.many"].wire, (3,)) == [([{"id": 1}, {"id": 2}],)]
    assert _sent(things, queries["things.many"].wire, (0,)) == [([],)]
    assert _sent(things, queries["things.bump"].wire, (4,)) == [(3,)]
    assert _sent(things, queries["things.bump"].wire, (0,)) == [(0,)]
    assert _sent(things, queries["things.take"].wire, (3,)) == [([{"id": 1}, {"id": 2}],)]
    assert _sent(things, queries["things.take"].wire, (3,)) == [([],)]


# the project's own queries


def test_every_query_of_the_project_fits_the_schema(database: Database) -> None:
    queries = load(SQL)
    described = contract.describe(database.app_dsn, queries)
    assert not contract.check(described, queries)
    assert not answer_rules.check(described, queries)


def test_every_query_of_the_project_runs_in_psql(database: Database) -> None:
    """As it stands, below its `\\set` lines."""
    for query in load(SQL).values():
        script = f"\\set VERBOSITY sqlstate\nBEGIN;\n{psql_form(query)}\nROLLBACK;\n"
        command = [str(BINARIES / "psql"), "-X", "-q", "-d", database.owner_dsn]
        done = subprocess.run(command, input=script, capture_output=True, text=True, check=False)
        # Sample values may break a rule of the data or of access, never one of the language.
        assert done.returncode == 0, f"{query.name}: {done.stderr}"
        assert not re.search(r"ERROR:\s+42(?!501)", done.stderr), f"{query.name}: {done.stderr}"


def test_the_snapshot_is_fresh(database: Database) -> None:
    queries = load(SQL)
    fresh = snapshot.render(contract.describe(database.owner_dsn, queries), queries)
    committed = (SQL / "contract.json").read_bytes()
    assert not snapshot.diff(committed, fresh), "run: quarry sql snapshot"
    assert json.loads(committed) == json.loads(fresh)
