"""The rules that query files keep, each with what passes and what does not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from service.cli.sql import app
from service.database.queries import load
from service.operations import parse_tree, sqlcheck
from service.operations.sqlcheck import Catalog
from tests.support.cluster import Database

SQL = Path(__file__).parents[2] / "sql"

_COLUMNS = frozenset({"tenant_id", "id", "parent_id", "name", "at"})
CATALOG = Catalog(
    columns={"a.t": _COLUMNS, "a.u": _COLUMNS, "a.open": frozenset({"id", "name"})},
    unique={
        "a.t": frozenset({frozenset({"tenant_id", "id"}), frozenset({"tenant_id", "name"})}),
        "a.u": frozenset({frozenset({"tenant_id", "id"})}),
    },
)
T = "t.tenant_id = :tenant_id"

PASSES = [
    f"SELECT t.id FROM a.t AS t WHERE {T}",
    "SELECT t.id FROM a.t AS t WHERE :tenant_id::uuid = t.tenant_id",
    "SELECT id FROM a.t WHERE tenant_id = :tenant_id",
    "SELECT t.id FROM a.t WHERE t.tenant_id = :tenant_id",
    "SELECT t.id FROM a.t AS t WHERE (t.tenant_id, t.id) = (:tenant_id, :id)",
    f"SELECT t.id FROM a.t AS t"
    f" JOIN a.u AS u ON u.tenant_id = t.tenant_id AND u.id = t.id WHERE {T}",
    f"SELECT t.id FROM a.t AS t JOIN a.u AS u USING (tenant_id, id) WHERE {T}",
    f"SELECT t.id FROM a.t AS t LEFT JOIN a.u AS u ON u.tenant_id = t.tenant_id WHERE {T}",
    f"SELECT t.id FROM a.t AS t, a.u AS u WHERE {T} AND u.tenant_id = t.tenant_id",
    f"SELECT t.id FROM a.t AS t WHERE {T} AND EXISTS (SELECT FROM a.u AS u"
    f" WHERE u.tenant_id = t.tenant_id)",
    f"SELECT t.id, (SELECT count(*) FROM a.u AS u"
    f" WHERE u.tenant_id = t.tenant_id) AS n FROM a.t AS t WHERE {T}",
    f"WITH c AS (SELECT t.tenant_id, t.id FROM a.t AS t WHERE {T})"
    " SELECT u.id FROM a.u AS u JOIN c ON c.tenant_id = u.tenant_id",
    f"SELECT u.id FROM a.u AS u JOIN (SELECT t.tenant_id FROM a.t AS t"
    f" WHERE {T}) AS s ON s.tenant_id = u.tenant_id",
    f"WITH RECURSIVE c AS (SELECT t.tenant_id, t.id FROM a.t AS t WHERE {T} UNION ALL"
    " SELECT u.tenant_id, u.id FROM a.t AS u"
    " JOIN c ON c.tenant_id = u.tenant_id AND c.id = u.parent_id)"
    " SELECT c.id FROM c",
    "SELECT o.id FROM a.open AS o",
    f"UPDATE a.t AS t SET name = 'x' WHERE {T}",
    f"UPDATE a.t AS t SET name = u.name FROM a.u AS u WHERE {T} AND u.tenant_id = t.tenant_id",
    f"DELETE FROM a.t AS t USING a.u AS u WHERE {T} AND u.tenant_id = :tenant_id",
    "INSERT INTO a.t (tenant_id, id) VALUES (:tenant_id, 1), (:tenant_id, 2)",
    f"INSERT INTO a.u (id, tenant_id) SELECT t.id, t.tenant_id FROM a.t AS t WHERE {T}",
    "INSERT INTO a.t AS t (tenant_id, id) VALUES (:tenant_id, 1)"
    " ON CONFLICT (tenant_id, id) DO UPDATE SET name = 'x'",
    f"WITH d AS (DELETE FROM a.t AS t WHERE {T} RETURNING t.tenant_id, t.id)"
    " INSERT INTO a.u (tenant_id, id) SELECT d.tenant_id, d.id FROM d",
    "MERGE INTO a.t AS t USING (SELECT :tenant_id::uuid AS tenant_id) AS s"
    " ON t.tenant_id = s.tenant_id"
    " WHEN MATCHED THEN UPDATE SET name = 'x' WHEN NOT MATCHED THEN"
    " INSERT (tenant_id) VALUES (:tenant_id)",
]  # fmt: skip

UNBOUND = [
    "SELECT t.id FROM a.t AS t",
    "SELECT t.id FROM a.t AS t WHERE t.tenant_id = t.tenant_id",
    "SELECT t.id FROM a.t AS t WHERE t.tenant_id <> :tenant_id",
    "SELECT t.id FROM a.t AS t WHERE t.id = :tenant_id",
    f"SELECT t.id FROM a.t AS t WHERE {T} OR true",
    f"SELECT t.id FROM a.t AS t WHERE NOT ({T})",
    f"SELECT t.id FROM a.t AS t JOIN a.u AS u ON u.id = t.id WHERE {T}",
    "SELECT t.id FROM a.t AS t JOIN a.u AS u ON u.tenant_id = t.tenant_id",
    f"SELECT t.id FROM a.t AS t LEFT JOIN a.u AS u ON u.tenant_id = t.tenant_id AND {T}",
    f"SELECT t.id FROM a.t AS t FULL JOIN a.u AS u ON u.tenant_id = :tenant_id AND {T}",
    f"SELECT t.id FROM a.t AS t WHERE {T} UNION SELECT u.id FROM a.u AS u",
    f"SELECT t.id FROM a.t AS t WHERE {T} AND EXISTS (SELECT FROM a.u AS u)",
    "WITH c AS (SELECT o.id AS tenant_id FROM a.open AS o)"
    " SELECT t.id FROM a.t AS t JOIN c ON c.tenant_id = t.tenant_id",
    "WITH c AS (SELECT t.tenant_id FROM a.t AS t) SELECT c.tenant_id FROM c",
    "WITH c AS (SELECT s.tenant_id FROM (SELECT o.id AS tenant_id FROM a.open AS o) AS s)"
    " SELECT t.id FROM a.t AS t JOIN c ON c.tenant_id = t.tenant_id",
    "SELECT t.id FROM a.t AS t JOIN unnest(:ids) AS f (tenant_id) ON f.tenant_id = t.tenant_id",
    "SELECT t.id FROM a.t AS t JOIN (SELECT o.id FROM a.open AS o) AS s (tenant_id)"
    " ON s.tenant_id = t.tenant_id",
    "SELECT t.id FROM a.t AS t (tenant_id, x) WHERE t.tenant_id = :tenant_id",
    "SELECT t.id FROM a.t AS t TABLESAMPLE system (1) WHERE t.id = 1",
    f"SELECT t.id FROM a.t AS t WHERE {T} AND EXISTS (SELECT FROM a.u AS u"
    " JOIN (SELECT o.id AS tenant_id FROM a.open AS o) AS t ON t.tenant_id = u.tenant_id)",
    f"WITH RECURSIVE c AS (SELECT t.tenant_id FROM a.t AS t WHERE {T} UNION ALL"
    " SELECT o.id FROM a.open AS o) SELECT u.id FROM a.u AS u JOIN c ON c.tenant_id = u.tenant_id",
    "UPDATE a.t AS t SET name = 'x' WHERE t.id = 1",
    f"DELETE FROM a.t AS t USING a.u AS u WHERE {T}",
    "MERGE INTO a.t AS t USING (SELECT :tenant_id::uuid AS tenant_id) AS s"
    " ON t.tenant_id = s.tenant_id"
    " WHEN NOT MATCHED BY SOURCE THEN DELETE",
]  # fmt: skip

OTHERS = [
    (f"SELECT t.* FROM a.t AS t WHERE {T}", "star"),
    (f"SELECT * FROM a.t AS t WHERE {T}", "star"),
    (f"DELETE FROM a.t AS t WHERE {T} RETURNING *", "star"),
    ("SELECT t.id FROM t", "unqualified"),
    ("DELETE FROM a.open AS o", "unguarded"),
    ("UPDATE a.open AS o SET name = 'x'", "unguarded"),
    (f"UPDATE a.t AS t SET tenant_id = :tenant_id WHERE {T}", "tenant_changed"),
    ("INSERT INTO a.t (id) VALUES (1)", "tenant_insert"),
    ("INSERT INTO a.t (tenant_id, id) VALUES (:tenant_id, 1), (:id, 2)", "tenant_insert"),
    ("INSERT INTO a.t (tenant_id) SELECT o.id FROM a.open AS o", "tenant_insert"),
    ("INSERT INTO a.t (tenant_id) VALUES (:tenant_id) ON CONFLICT (name) DO UPDATE SET name = 'x'",
     "tenant_conflict"),
]  # fmt: skip


def _codes(folder: Path, statement: str, header: str = "") -> list[str]:
    path = folder / "things/get.sql"
    path.parent.mkdir(exist_ok=True)
    kind = "affected" if statement.startswith(("UPDATE", "DELETE", "INSERT", "MERGE")) else "many"
    if statement.startswith("WITH") and "INSERT INTO a.u" in statement:
        kind = "affected"
    header += "-- param: ids uuid[]\n" if ":ids" in statement else ""
    header += "-- param: id uuid\n" if ":id)" in statement or ":id," in statement else ""
    path.write_text(f"-- name: things.get :{kind}\n{header}{statement}\n")
    return [finding.code for finding in sqlcheck.check(load(folder), CATALOG)]


@pytest.mark.parametrize("statement", PASSES)
def test_what_is_held_to_its_tenant_passes(tmp_path: Path, statement: str) -> None:
    assert _codes(tmp_path, statement) == []


@pytest.mark.parametrize("statement", UNBOUND)
def test_what_is_not_held_to_its_tenant_is_found(tmp_path: Path, statement: str) -> None:
    assert set(_codes(tmp_path, statement)) == {"tenant_predicate"}


@pytest.mark.parametrize(("statement", "code"), OTHERS)
def test_the_other_rules(tmp_path: Path, statement: str, code: str) -> None:
    assert code in _codes(tmp_path, statement)


def test_a_file_may_except_itself_from_rules_that_there_are(tmp_path: Path) -> None:
    assert _codes(tmp_path, UNBOUND[0], "-- allow: tenant_predicate an operator sees all\n") == []
    assert "allow_unknown" in _codes(tmp_path, PASSES[0], "-- allow: everything why not\n")


PAGE = f"SELECT t.id, t.name, t.at FROM a.t AS t WHERE {T} AND t.id > :after_one {{}}"
PAGES = [
    ("id", "ORDER BY t.id LIMIT :limit", []),
    ("id", "ORDER BY id ASC LIMIT :limit", []),
    ("name", "ORDER BY t.name LIMIT :limit", []),
    ("at", "ORDER BY t.at LIMIT :limit", ["cursor_total"]),
    ("id desc", "ORDER BY t.id LIMIT :limit", ["cursor_order"]),
    ("id", "ORDER BY t.id, t.name LIMIT :limit", ["cursor_order"]),
    ("id", "ORDER BY t.id NULLS FIRST LIMIT :limit", ["cursor_order"]),
    ("id", "LIMIT :limit", ["cursor_order"]),
    ("id", "AND :limit > 1 ORDER BY t.id LIMIT 10", ["cursor_limit"]),
    ("id", "ORDER BY t.id LIMIT :limit OFFSET 5", ["cursor_limit"]),
]


@pytest.mark.parametrize(("cursor", "end", "codes"), PAGES)
def test_a_page_is_ordered_by_its_cursor(
    tmp_path: Path, cursor: str, end: str, codes: list[str]
) -> None:
    path = tmp_path / "things/list.sql"
    path.parent.mkdir()
    head = "-- name: things.list :page\n-- param: after_one uuid?\n-- param: limit int?\n"
    path.write_text(f"{head}-- cursor: {cursor}\n{PAGE.format(end)}\n")
    assert [finding.code for finding in sqlcheck.check(load(tmp_path), CATALOG)] == codes


FILES = [
    ("many", f"SELECT t.id, '{'x' * 16_000}' AS x FROM a.t AS t WHERE {T}", ("too_long", 2, 1)),
    ("many", f"SELECT t.id FROM a.t AS t\n-- param: x int\n WHERE {T}", ("header_misplaced", 3, 1)),
    ("many", f"-- cursor: id\nSELECT t.id FROM a.t AS t WHERE {T}", ("cursor_unexpected", 2, 12)),
    ("many", f"-- etag: id\nSELECT t.id FROM a.t AS t WHERE {T}", ("etag_unexpected", 2, 10)),
    ("affected", f"-- null: id\nDELETE FROM a.t AS t WHERE {T}", ("null_unexpected", 2, 10)),
]


@pytest.mark.parametrize(("kind", "text", "expected"), FILES)
def test_what_runs_but_is_not_what_a_reader_expects(
    tmp_path: Path, kind: str, text: str, expected: tuple[str, int, int]
) -> None:
    path = tmp_path / "things/get.sql"
    path.parent.mkdir()
    path.write_text(f"-- name: things.get :{kind}\n{text}\n")
    findings = sqlcheck.check(load(tmp_path), CATALOG)
    assert [(f.code, f.line, f.column) for f in findings] == [expected]


def test_python_can_write_every_name(tmp_path: Path) -> None:
    path = tmp_path / "things/import.sql"
    path.parent.mkdir()
    path.write_text(f"-- name: things.import :many\n{PASSES[0]}\n")
    assert [f.code for f in sqlcheck.check(load(tmp_path), CATALOG)] == ["name_keyword"]


def test_a_finding_stands_where_the_table_does(tmp_path: Path) -> None:
    path = tmp_path / "things/get.sql"
    path.parent.mkdir()
    path.write_text("-- name: things.get :many\nSELECT 'é' AS e, t.id\n  FROM a.t AS t\n")
    [finding] = sqlcheck.check(load(tmp_path), CATALOG)
    assert (finding.line, finding.column) == (3, 8)
    assert finding.excerpt == "  FROM a.t AS t"


def test_the_project_keeps_its_rules(database: Database) -> None:
    queries = load(SQL)
    assert not sqlcheck.check(queries, sqlcheck.read_catalog(database.owner_dsn))
    assert "workspace.projects" in parse_tree.tables(queries["projects.get"])


def test_the_catalog_is_the_live_one(database: Database) -> None:
    catalog = sqlcheck.read_catalog(database.owner_dsn)
    assert catalog.tenant_scoped("workspace.projects")
    assert not catalog.tenant_scoped("core.tenants")
    assert frozenset({"tenant_id", "id"}) in catalog.unique["workspace.projects"]


# the commands

TENANT = "00000000-0000-0000-0000-000000000001"
ADD = """\
-- name: tenants.add :affected
-- param: name text
INSERT INTO core.tenants AS t (name) VALUES (:name)
"""
GET = """\
-- name: tenants.get :many
-- param: name text?   only this one
SELECT t.name FROM core.tenants AS t WHERE t.name = coalesce(:name, t.name)
"""


class Workbench:
    """`quarry sql` on a folder of its own."""

    def __init__(self, folder: Path, database_url: str) -> None:
        self.folder = folder
        self.settings = {"QUARRY_SQL_DIR": str(folder), "QUARRY_DATABASE_URL": database_url}
        (folder / "tenants").mkdir()

    def write(self, name: str, text: str) -> None:
        (self.folder / f"tenants/{name}.sql").write_text(text)

    def __call__(self, *words: str, answer: str | None = None) -> Result:
        return CliRunner().invoke(app, words, input=answer, env=self.settings)


@pytest.fixture
def workbench(database: Database, tmp_path: Path) -> Workbench:
    made = Workbench(tmp_path, database.owner_dsn)
    made.write("get", GET)
    made.write("add", ADD)
    return made


def test_check_compares_with_the_snapshot(workbench: Workbench) -> None:
    assert workbench("snapshot", "--check").exit_code == 1
    assert "snapshot_missing" in workbench("check").stdout
    assert workbench("snapshot").exit_code == 0
    assert workbench("snapshot", "--check").exit_code == 0
    assert workbench("check").exit_code == 0
    workbench.write("get", GET.replace("SELECT t.name", "SELECT t.id, t.name"))
    done = workbench("check", "--json")
    assert done.exit_code == 1
    [finding] = json.loads(done.stdout)
    assert finding["code"] == "snapshot_differs"
    assert finding["message"] == "tenants.get: column id is new (uuid, never NULL)"
    assert (finding["line"], finding["column"]) == (3, 8)


def test_check_tells_all_findings_with_their_places(workbench: Workbench) -> None:
    workbench.write("get", GET.replace("SELECT t.name", "SELECT t.nam"))
    done = workbench("check")
    assert done.exit_code == 1
    assert f"{workbench.folder}/tenants/get.sql:3:8: prepare_failed" in done.stdout
    workbench.write("get", GET.replace(":many", ":mani"))
    done = workbench("check")
    assert done.exit_code == 1
    assert f"{workbench.folder}/tenants/get.sql:1:22: unknown_kind" in done.stdout


def test_list_and_show(workbench: Workbench) -> None:
    [_, row] = json.loads(workbench("list", "--json").stdout)
    assert (row["name"], row["kind"], row["parameters"]) == ("tenants.get", "many", ["name?"])
    assert row["tables"] == ["core.tenants"]
    assert workbench("show", "tenants.get").stdout == GET
    assert "json_agg(row_to_json(q))" in workbench("show", "tenants.get", "--wire").stdout
    assert r"\set name 'NULL'" in workbench("show", "tenants.get", "--psql").stdout
    assert workbench("show", "tenants.nothing").exit_code == 2


def test_run_keeps_nothing_unless_it_is_told_to(workbench: Workbench) -> None:
    def names() -> list[str]:
        return [row["name"] for row in json.loads(workbench("run", "tenants.get", "--json").stdout)]

    assert workbench("run", "tenants.add").exit_code == 2
    assert workbench("run", "tenants.add", "-p", "name=acme").exit_code == 2
    assert workbench("run", "tenants.add", "-p", "name=acme", "--commit", answer="n").exit_code == 1
    assert names() == []
    assert workbench("run", "tenants.add", "-p", "name=acme", "--commit", answer="y").exit_code == 0
    assert names() == ["acme"]
    assert workbench("run", "tenants.get", "-p", "nam=acme").exit_code == 2


def test_a_tenant_goes_by_name_or_id(workbench: Workbench) -> None:
    (workbench.folder / "keys").mkdir()
    (workbench.folder / "keys/tenant.sql").write_text((SQL / "keys/tenant.sql").read_text())
    workbench.write("own", "-- name: tenants.own :value\nSELECT :tenant_id::uuid AS id")
    workbench("run", "tenants.add", "-p", "name=acme", "--commit", answer="y")

    def own(tenant: str) -> str:
        done = workbench("run", "tenants.own", "--tenant", tenant, "--json")
        assert done.exit_code == 0, done.output
        return str(json.loads(done.stdout)[0]["id"])

    assert own(TENANT) == TENANT
    assert own(own("acme")) == own("acme") != TENANT
    assert workbench("run", "tenants.own", "--tenant", "nobody").exit_code == 2


def test_a_read_that_writes_after_all_is_refused(workbench: Workbench) -> None:
    workbench.write("get", "-- name: tenants.get :value\nSELECT lo_create(0)")
    assert workbench("run", "tenants.get").exit_code == 2


def test_without_a_database_it_could_not_run(workbench: Workbench) -> None:
    workbench.settings["QUARRY_DATABASE_URL"] = "postgresql://localhost:1/none"
    assert workbench("check").exit_code == 2
    assert workbench("run", "tenants.get").exit_code == 2
