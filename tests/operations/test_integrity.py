"""Each check of the workspace, of files and of the schema finds what is planted, and nothing else."""
# ruff: noqa: E501 (SQL in one line)

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import orjson
import psycopg
import pytest

from service.checks import CHECKS, title
from service.database.queries import load
from service.operations import integrity, integrity_report
from service.operations.integrity import Inspector
from tests.operations.damage import Connection, Damage, damaged, failing, inspector
from tests.support.cluster import MIGRATIONS, Database
from tests.support.server import SQL_DIR

SEED = """
INSERT INTO core.tenants (id, name) VALUES ('00000000-0000-7000-8000-00000000000a', 'ours'), ('00000000-0000-7000-8000-00000000000b', 'theirs');
INSERT INTO workspace.users (tenant_id, id, email, name)
SELECT t.id, overlay(t.id::text placing '1' from 1 for 1)::uuid, 'ada@example.org', 'Ada' FROM core.tenants AS t;
INSERT INTO workspace.projects (tenant_id, id, name, language, created_by)
SELECT u.tenant_id, overlay(u.id::text placing n from 1 for 1)::uuid, 'Project ' || n, 'en', u.id FROM workspace.users AS u, (VALUES ('2'), ('3')) AS v (n);
INSERT INTO workspace.document_versions (tenant_id, project_id, document_type, content)
SELECT p.tenant_id, p.id, 'brief', 'text' FROM workspace.projects AS p;
INSERT INTO workspace.document_versions (tenant_id, project_id, document_type, content, created_by)
SELECT p.tenant_id, p.id, 'brief', 'more text', p.created_by FROM workspace.projects AS p;
INSERT INTO workspace.agent_executions (tenant_id, project_id, agent_type, correlation_id, requested_by)
SELECT p.tenant_id, p.id, 'writer', 'c', p.created_by FROM workspace.projects AS p;
INSERT INTO workspace.exports (tenant_id, project_id, format, status, file_name, file_size, file_sha256, completed_at, expires_at)
SELECT p.tenant_id, p.id, 'zip', 'completed', 'a.zip', 1, sha256('x'), now(), now() + interval '1 day' FROM workspace.projects AS p;
INSERT INTO core.api_keys (tenant_id, secret_hash, scopes, user_id) SELECT u.tenant_id, sha256('x'), '{*}', u.id FROM workspace.users AS u;
INSERT INTO ops.jobs (tenant_id, kind) SELECT t.id, 'sample' FROM core.tenants AS t;
"""
OURS = "tenant_id = '00000000-0000-7000-8000-00000000000a'"
THEIRS = "tenant_id = '00000000-0000-7000-8000-00000000000b'"
NOBODY = "'ffffffff-ffff-7fff-8fff-ffffffffffff'"


def _dangling(table: str, column: str, count: int, where: str = OURS) -> Damage:
    return (
        "workspace_dangling_links",
        count,
        f"UPDATE {table} SET {column} = {NOBODY} WHERE {where}",
    )


def _foreign(table: str, column: str, parent: str, count: int) -> Damage:
    return ("workspace_tenant_mismatch", count,
            f"UPDATE {table} SET {column} = (SELECT id FROM {parent} WHERE {THEIRS} LIMIT 1) WHERE {OURS}")  # fmt: skip


def _missing(table: str, column: str, count: int) -> Damage:
    return "workspace_missing_links", count, f"UPDATE {table} SET {column} = NULL WHERE {OURS}"


_V, _E, _X = "workspace.document_versions", "workspace.agent_executions", "workspace.exports"
_M, _P, _U = "workspace.project_members", "workspace.projects", "workspace.users"
_STATES, _TWICE = "workspace_illegal_states", "workspace_duplicates"
_CHILDLESS = "workspace_childless_parents"
A = "'00000000-0000-7000-8000-00000000000a'"
PLANTED: list[Damage] = [
    _dangling(_P, "created_by", 2),
    _dangling(_M, "user_id", 2),
    (
        "workspace_dangling_links",
        1,
        f"INSERT INTO {_M} (tenant_id, project_id, user_id, role) SELECT tenant_id, {NOBODY}, id, 'viewer' FROM {_U} WHERE {OURS}",
    ),
    _dangling(_V, "created_by", 2, f"{OURS} AND created_by IS NOT NULL"),
    _dangling(_V, "based_on", 4),
    _dangling(_E, "requested_by", 2),
    _dangling(_E, "project_id", 2),
    _dangling(_X, "project_id", 2),
    _dangling(_X, "created_by", 2),
    _dangling("core.api_keys", "user_id", 1),
    (
        "workspace_dangling_links",
        1,
        f"UPDATE core.api_keys SET tenant_id = {NOBODY}, user_id = NULL WHERE {OURS}",
    ),
    ("workspace_dangling_links", 1, f"UPDATE ops.jobs SET tenant_id = {NOBODY} WHERE {OURS}"),
    (
        "workspace_dangling_links",
        1,
        f"INSERT INTO {_U} (tenant_id, email, name) VALUES ({NOBODY}, 'x@example.org', 'X')",
    ),
    (
        "workspace_dangling_links",
        1,
        f"INSERT INTO {_P} (tenant_id, name, language) VALUES ({NOBODY}, 'X', 'en')",
    ),
    (
        "workspace_dangling_links",
        3,
        f"UPDATE {_V} SET project_id = {NOBODY} WHERE {OURS} AND project_id::text LIKE '2%';"
        f" UPDATE workspace.document_counters SET project_id = {NOBODY} WHERE {OURS} AND project_id::text LIKE '2%'",
    ),
    _foreign(_P, "created_by", _U, 2),
    _foreign(_V, "created_by", _U, 4),
    _foreign(_V, "based_on", _V, 4),
    _foreign(_E, "requested_by", _U, 2),
    _foreign(_E, "project_id", _P, 2),
    _foreign(_X, "created_by", _U, 2),
    _foreign(_X, "project_id", _P, 2),
    _foreign("core.api_keys", "user_id", _U, 1),
    _foreign(_M, "user_id", _U, 2),
    _missing(_M, "user_id", 2),
    _missing(_E, "project_id", 2),
    _missing(_X, "project_id", 2),
    (
        "workspace_project_mismatch",
        2,
        f"UPDATE {_V} AS d SET based_on = (SELECT o.id FROM {_V} AS o"
        f" WHERE o.{OURS} AND o.project_id <> d.project_id LIMIT 1) WHERE d.{OURS} AND d.version = 2",
    ),
    (_CHILDLESS, 2, f"DELETE FROM {_M} WHERE {OURS}"),
    (
        _CHILDLESS,
        1,
        f"INSERT INTO workspace.document_counters SELECT tenant_id, id, 'report', 3 FROM {_P} WHERE {OURS} LIMIT 1",
    ),
    (_CHILDLESS, 2, f"UPDATE {_X} SET status = 'running' WHERE {OURS}"),
    (_STATES, 4, f"UPDATE {_E} SET status = 'asleep'"),
    (
        _STATES,
        2,
        f"UPDATE {_E} SET status = 'completed', started_at = now(), heartbeat_at = now() WHERE {OURS}",
    ),
    (_STATES, 2, f"UPDATE {_E} SET progress = 101 WHERE {OURS}"),
    (_STATES, 2, f"UPDATE {_X} SET status = 'failed' WHERE {OURS}"),
    (
        _STATES,
        1,
        f"INSERT INTO {_U} (tenant_id, id, email, name) VALUES ({A}, {NOBODY}, 'k@example.org', 'K');"
        f" INSERT INTO {_M} (tenant_id, project_id, user_id, role) SELECT tenant_id, id, {NOBODY}, 'king' FROM {_P} WHERE {OURS} LIMIT 1",
    ),
    (_STATES, 1, f"UPDATE ops.jobs SET state = 'running' WHERE {OURS}"),
    (
        _TWICE,
        1,
        f"INSERT INTO {_U} (tenant_id, email, name) SELECT tenant_id, upper(email), 'B' FROM {_U} WHERE {OURS}",
    ),
    (
        _TWICE,
        2,
        f"INSERT INTO {_M} (tenant_id, project_id, user_id, role) SELECT tenant_id, project_id, user_id, 'viewer' FROM {_M} WHERE {OURS}",
    ),
    (_TWICE, 2, f"UPDATE {_V} SET version = 2 WHERE {OURS}"),
    (
        "workspace_counts",
        1,
        f"DELETE FROM {_V} WHERE version = 1 AND project_id::text LIKE '2%' AND {OURS}",
    ),
    (
        "workspace_counts",
        2,
        f"UPDATE workspace.document_counters SET last_version = 1 WHERE {OURS}",
    ),
    ("workspace_counts", 2, f"DELETE FROM workspace.document_counters WHERE {OURS}"),
]
DRIFT: list[Damage] = [
    ("schema_columns", 1, "ALTER TABLE workspace.project_members ALTER user_id DROP NOT NULL"),
    ("schema_columns", 1, "ALTER TABLE workspace.projects ALTER status SET DEFAULT 'active'"),
    ("schema_columns", 2, "ALTER TABLE workspace.projects ADD mine text, ADD yours text"),
    ("schema_constraints", 1, "ALTER TABLE workspace.exports DROP CONSTRAINT exports_format_known"),
    (
        "schema_foreign_keys",
        1,
        "ALTER TABLE workspace.exports DROP CONSTRAINT exports_created_by_fkey",
    ),
    (
        "schema_foreign_keys",
        1,
        "ALTER TABLE workspace.exports DROP CONSTRAINT exports_project_fkey;"
        " ALTER TABLE workspace.exports ADD CONSTRAINT exports_project_fkey FOREIGN KEY (tenant_id, project_id) REFERENCES workspace.projects (tenant_id, id)",
    ),
    ("schema_indexes", 1, "DROP INDEX workspace.exports_newest_idx"),
    ("schema_indexes", 1, "CREATE INDEX mine ON workspace.projects (name)"),
    ("schema_policies", 1, "ALTER TABLE workspace.projects NO FORCE ROW LEVEL SECURITY"),
    ("schema_policies", 1, "DROP POLICY projects_tenant ON workspace.projects"),
    (
        "schema_policies",
        1,
        "CREATE POLICY all_of_it ON workspace.projects FOR SELECT TO quarry_app USING (true)",
    ),
    ("schema_triggers", 1, "ALTER TABLE workspace.projects DISABLE TRIGGER projects_audit_update"),
    ("schema_triggers", 1, "DROP TRIGGER exports_keep ON workspace.exports"),
    ("schema_policies", 1, "ALTER TABLE discovery.assets DISABLE ROW LEVEL SECURITY"),
    ("schema_policies", 1, "ALTER POLICY assets_tenant ON discovery.assets USING (true)"),
    ("schema_indexes", 1, "DROP INDEX discovery.raw_records_outcome_idx"),
    ("schema_constraints", 1, "ALTER TABLE cases.cases DROP CONSTRAINT cases_current_version_range"),
    ("schema_triggers", 1, "ALTER TABLE assistant.conversations DISABLE TRIGGER conversations_message_count_new"),
    ("schema_foreign_keys", 1, "ALTER TABLE assistant.messages DROP CONSTRAINT messages_conversation_fkey"),
]  # fmt: skip


def test_the_schema_is_held_against_the_migrations_in_every_schema_of_ours(
    connection: Connection,
) -> None:
    """None of the tables that the migrations make is outside of what is compared."""
    declared = orjson.loads(integrity.declared(MIGRATIONS))
    ours = connection.execute(
        "SELECT c.oid::regclass::text FROM pg_class AS c WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition"
        " AND c.relnamespace::regnamespace::text NOT IN ('pg_catalog', 'information_schema', 'public')"
    ).fetchall()
    assert {t for (t,) in ours} == {
        e["table_name"] for e in declared if e["name"] == "row-level security"
    }


@pytest.fixture(scope="module")
def connection(module_database: Database) -> Iterator[Connection]:
    """The seeded database of this module; every test takes back what it does."""
    with psycopg.connect(module_database.owner_dsn, autocommit=True) as connection:
        connection.execute(SEED)
        yield connection


@pytest.fixture(scope="module")
def files(connection: Connection, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with the file of every export in it."""
    root = tmp_path_factory.mktemp("files")
    for tenant, export, sha256 in connection.execute(
        "SELECT tenant_id, id, encode(file_sha256, 'hex') FROM workspace.exports"
    ):
        folder = root / "exports" / str(tenant)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{export}.{sha256}").write_text("x")
    return root


@pytest.fixture
def looks(connection: Connection, files: Path) -> Inspector:
    """Runs checks on the module's database."""
    return inspector(connection, files)


def test_nothing_is_wrong_with_what_the_service_writes(looks: Inspector) -> None:
    outcomes = list(looks.check())
    assert failing(outcomes) == {}
    assert len(outcomes) == len(CHECKS) >= 16


@pytest.mark.parametrize("damage", PLANTED, ids=lambda d: f"{d[0]}-{d[2][:70]}")
def test_planted_damage_fails_exactly_its_check(
    looks: Inspector, connection: Connection, damage: Damage
) -> None:
    name, count, statements = damage
    with damaged(connection, statements):
        outcomes = list(looks.check())
    assert failing(outcomes) == {name: count}
    evidence = next(o for o in outcomes if o.check.name == name).evidence
    assert all(row["table_name"] and row["detail"] and row["tenant_id"] for row in evidence)


@pytest.mark.parametrize("damage", DRIFT, ids=lambda d: f"{d[0]}-{d[2][:70]}")
def test_drift_of_the_schema_fails_exactly_its_check(
    looks: Inspector, connection: Connection, damage: Damage
) -> None:
    name, count, statements = damage
    with connection.transaction(force_rollback=True):
        connection.execute(statements)
        assert failing(list(looks.check())) == {name: count}


def test_foreign_keys_that_nobody_keeps_any_more_are_seen(
    looks: Inspector, connection: Connection
) -> None:
    with connection.transaction(force_rollback=True):
        connection.execute("ALTER TABLE workspace.exports DISABLE TRIGGER ALL")
        found = failing(list(looks.check()))
    assert found.keys() == {"schema_foreign_keys", "schema_triggers"}


def test_files_without_an_export_and_exports_without_a_file(
    connection: Connection, files: Path
) -> None:
    folder = files / "exports" / "00000000-0000-7000-8000-00000000000a"
    lost = next(folder.iterdir())
    lost.rename(files / "aside")
    try:
        assert failing(list(inspector(connection, files).check())) == {"file_missing": 1}
    finally:
        (files / "aside").rename(lost)
    stray = folder / f"{lost.name[:36].replace(lost.name[0], 'f')}.{'0' * 64}"
    stray.write_text("x")
    try:
        assert failing(list(inspector(connection, files).check())) == {}  # it may become one
        os.utime(stray, (0, 0))
        assert failing(list(inspector(connection, files).check())) == {"file_orphaned": 1}
    finally:
        stray.unlink()


def test_what_users_uploaded_is_held_against_the_disk_too(
    connection: Connection, files: Path
) -> None:
    folder = files / "uploads" / "00000000-0000-7000-8000-00000000000a"
    folder.mkdir(parents=True)
    stray = folder / f"{'f' * 36}"
    stray.write_text("x")
    os.utime(stray, (0, 0))
    claim = f"INSERT INTO assistant.files (tenant_id, user_id, original_name, stored_name, sha256, mime_type, size, path) SELECT tenant_id, id, 'a', '{{}}', sha256('x'), 'a/b', 1, 'x' FROM {_U} WHERE {OURS}"
    try:
        assert failing(list(inspector(connection, files).check())) == {"file_orphaned": 1}
        with damaged(connection, claim.format(stray.name)):
            assert failing(list(inspector(connection, files).check())) == {}
        stray.unlink()
        with damaged(connection, claim.format(stray.name)):
            assert failing(list(inspector(connection, files).check())) == {"file_missing": 1}
    finally:
        stray.unlink(missing_ok=True)
        folder.rmdir()
        folder.parent.rmdir()


def _reading(table: str) -> set[str]:
    """The checks that read a table."""
    queries = load(SQL_DIR)
    return {c.name for c in CHECKS if re.search(rf"{table}\b", queries[str(c.query)].text)}


def test_a_check_without_the_privilege_is_an_error_and_the_others_go_on(
    looks: Inspector, connection: Connection
) -> None:
    with connection.transaction(force_rollback=True):
        connection.execute("REVOKE ALL ON discovery.asset_conflicts FROM quarry_owner")
        connection.execute("SET LOCAL ROLE quarry_owner")
        outcomes = list(looks.check())
    wrong = {o.check.name: o.error or "" for o in outcomes if o.state == "ERROR"}
    assert wrong.keys() == _reading("discovery.asset_conflicts") != set()
    assert all("permission denied" in reason for reason in wrong.values())
    assert {o.state for o in outcomes} == {"ERROR", "PASS"}


def test_a_check_that_comes_to_no_end_is_an_error_and_the_others_go_on(
    looks: Inspector, connection: Connection, module_database: Database
) -> None:
    with psycopg.connect(module_database.owner_dsn) as other:
        other.execute("LOCK TABLE discovery.field_mappings IN ACCESS EXCLUSIVE MODE")
        with connection.transaction(force_rollback=True):
            connection.execute("SET LOCAL statement_timeout = '500ms'")
            outcomes = list(looks.check())
    wrong = {o.check.name: o.error or "" for o in outcomes if o.state == "ERROR"}
    assert wrong.keys() >= _reading("discovery.field_mappings") != set()
    assert all("statement timeout" in reason for reason in wrong.values())
    assert "workspace_duplicates" not in wrong


def test_files_that_cannot_be_listed_are_an_error(connection: Connection, tmp_path: Path) -> None:
    (tmp_path / "exports").write_text("no folder")
    found = failing(list(inspector(connection, tmp_path).check()))
    assert found == {"file_missing": -1, "file_orphaned": -1}


def test_what_cannot_run_is_an_error_and_never_passes(
    looks: Inspector, connection: Connection, files: Path, tmp_path: Path, module_database: Database
) -> None:
    with connection.transaction(force_rollback=True):
        connection.execute("ALTER TABLE workspace.document_counters RENAME TO elsewhere")
        found = failing(list(looks.check()))
    assert found.keys() >= {"workspace_counts", "workspace_childless_parents"}
    assert (found["workspace_counts"], found["workspace_childless_parents"]) == (-1, -1)
    assert "workspace_duplicates" not in found
    blind = inspector(connection, files)
    blind.migrations_dir = tmp_path  # there is no catalog.json
    wrong = failing(list(blind.check()))
    assert wrong == {c.name: -1 for c in CHECKS if c.needs == "declared"}
    # a role that sees no rows would call everything well
    with psycopg.connect(module_database.app_dsn, autocommit=True) as app:
        assert failing(list(inspector(app, files).check())) == {c.name: -1 for c in CHECKS}


def test_the_declared_schema_is_what_the_migrations_make(module_database: Database) -> None:
    live = integrity.read_catalog(module_database.owner_dsn, load(SQL_DIR))
    declared = integrity.declared(MIGRATIONS)
    assert live == declared, "run `quarry integrity snapshot`"


def test_every_check_runs_in_psql_as_it_is_printed(connection: Connection) -> None:
    queries = load(SQL_DIR)
    with damaged(connection, f"UPDATE {_E} SET status = 'asleep'"):
        for check in CHECKS:
            if check.needs == "files":
                continue
            cursor = connection.execute(integrity.monitoring(check, queries, MIGRATIONS).encode())
            assert cursor.description
            assert [c.name for c in cursor.description][:7] == [
                "check_name", "table_name", "kind", "tenant_id", "row_id", "detail", "count",
            ]  # fmt: skip
            assert len(cursor.fetchall()) == (4 if check.name == _STATES else 0)


def test_evidence_is_bounded_and_the_count_is_not(looks: Inspector, connection: Connection) -> None:
    with damaged(connection, f"UPDATE {_E} SET status = 'asleep'"):
        (found,) = looks.check([_STATES], most=1)
    assert (found.count, len(found.evidence)) == (4, 1)


def test_the_report_tells_damage_from_what_could_not_be_checked(
    looks: Inspector, connection: Connection
) -> None:
    queries = load(SQL_DIR)
    moment = datetime(2026, 1, 31, 12, tzinfo=UTC)
    with damaged(connection, f"UPDATE {_E} SET error_message = '<script>', status = '<b>asleep'"):
        connection.execute("ALTER TABLE workspace.document_counters RENAME TO elsewhere")
        page = integrity_report.html(list(looks.check()), queries, "db <at> host", moment)
    assert "<b>asleep" not in page
    assert "db &lt;at&gt; host" in page
    assert "could not run" in page
    assert "mend the cause and check again" in page
    assert page.count("<h3>") == 3  # each kind of damage once, and what is not known
    assert "What to do:" in page
    assert "http" not in page  # nothing is loaded from anywhere
    assert "31 January 2026, 12:00 UTC" in page
    fine = integrity_report.html(list(looks.check()), queries, "db", moment)
    assert "no damage was found" in fine
    assert all(title(queries[check.query])[:30] in fine for check in CHECKS)
