"""The walls inside the database: row-level security, keys that carry the tenant, privileges."""
# ruff: noqa: E501 (SQL in one line)

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from psycopg import errors, sql

from tests.schema.conftest import Acting, Tenant
from tests.support.cluster import Database

ROOT = Path(__file__).parents[2]
SAMPLE_TENANT = "0197a000-0000-7000-8000-00000000000a"
SAMPLE_PROJECT = "0197a000-0000-7000-8000-0000000000c1"
SCOPED = """
SELECT n.nspname, c.relname
  FROM pg_class AS c
  JOIN pg_namespace AS n ON n.oid = c.relnamespace
  JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname = 'tenant_id'
 WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname <> 'pg_catalog'
 ORDER BY 1, 2
"""


def fill(database: Database, tenant: Tenant) -> None:
    """A row in the tables that the fixture leaves empty."""
    database.psql(
        "INSERT INTO core.api_keys (tenant_id, secret_hash, scopes) VALUES (%s, sha256('x'), '{*}')",
        tenant.id,
    )
    database.psql(
        "INSERT INTO core.idempotency (tenant_id, actor, key, request_hash) VALUES (%s, 'a', 'k', sha256('r'))",
        tenant.id,
    )
    database.psql(
        "INSERT INTO workspace.document_versions (tenant_id, project_id, document_type, content)"
        " VALUES (%s, %s, 'brief', 'text')",
        tenant.id, tenant.project,
    )  # fmt: skip
    database.psql(
        "INSERT INTO workspace.agent_executions (tenant_id, project_id, agent_type, correlation_id)"
        " VALUES (%s, %s, 'writer', 'c')",
        tenant.id, tenant.project,
    )  # fmt: skip
    database.psql(
        "INSERT INTO workspace.exports (tenant_id, project_id, format) VALUES (%s, %s, 'zip')",
        tenant.id, tenant.project,
    )  # fmt: skip
    fill_discovery(database, tenant)
    database.psql("INSERT INTO ops.jobs (tenant_id, kind) VALUES (%s, 'sample')", tenant.id)
    database.psql(
        "INSERT INTO ops.repairs (tenant_id, run_id, check_name, table_name, row_id, action, confidence, evidence)"
        " VALUES (%s, uuidv7(), 'sample', 'workspace.projects', uuidv7(), 'quarantine', 1, 'sample')",
        tenant.id,
    )
    sample = (ROOT / "migrations" / "samples" / "0020-cases.sql").read_text()
    for statement in sample.replace(SAMPLE_TENANT, str(tenant.id)).split(";\n"):
        if statement.strip():
            database.psql(statement.replace(SAMPLE_PROJECT, str(tenant.project)))
    add_message(database, tenant)


def add_message(database: Database, tenant: Tenant) -> None:
    """A conversation with a message, a memory, a file."""
    database.psql(
        "INSERT INTO assistant.files (tenant_id, user_id, original_name, mime_type, size, path)"
        " VALUES (%s, %s, 'a', 'a/b', 1, 'x')",
        tenant.id, tenant.user,
    )  # fmt: skip
    database.psql(
        "INSERT INTO assistant.memories (tenant_id, user_id, question, answer)"
        " VALUES (%s, %s, '?', 'text')",
        tenant.id, tenant.user,
    )  # fmt: skip
    database.psql(
        "WITH counted AS (INSERT INTO assistant.conversations (tenant_id, user_id, message_count)"
        "                 VALUES (%s, %s, 1) RETURNING tenant_id, id, user_id)"
        " INSERT INTO assistant.messages (tenant_id, conversation_id, user_id, seq, role, content)"
        " SELECT tenant_id, id, user_id, 1, 'user', 'text' FROM counted",
        tenant.id, tenant.user,
    )  # fmt: skip


def fill_discovery(database: Database, tenant: Tenant) -> None:
    """A row in each table of a project's discovery."""
    keys = f"tenant_id = '{tenant.id}', project_id = '{tenant.project}'".split(", ")
    owner = ", ".join(key.split(" = ")[1] for key in keys)
    for statement in (
        f"INSERT INTO discovery.master_flows (tenant_id, project_id, flow_name) VALUES ({owner}, 'f')",
        f"INSERT INTO discovery.data_imports (tenant_id, project_id, master_flow_id, name, size, sha256, encoding) SELECT {owner}, id, 'i', 1, sha256('x'), 'utf-8' FROM discovery.master_flows WHERE {keys[0]}",
        f"INSERT INTO discovery.discovery_flows (tenant_id, project_id, master_flow_id, data_import_id) SELECT {owner}, master_flow_id, id FROM discovery.data_imports WHERE {keys[0]}",
        f"INSERT INTO discovery.field_mappings (tenant_id, project_id, data_import_id, source_field, target_field, match_type, confidence) SELECT {owner}, id, 'a', 'name', 'exact', 1 FROM discovery.data_imports WHERE {keys[0]}",
        f"INSERT INTO discovery.raw_records (tenant_id, project_id, data_import_id, master_flow_id, row_number, raw) SELECT {owner}, id, master_flow_id, 1, '{{}}' FROM discovery.data_imports WHERE {keys[0]}",
        f"INSERT INTO discovery.assets (tenant_id, project_id, master_flow_id, name, asset_type) SELECT {owner}, id, 'a', 'server' FROM discovery.master_flows WHERE {keys[0]}",
        f"INSERT INTO discovery.asset_dependencies (tenant_id, project_id, asset_id, target_name) SELECT {owner}, id, 'b' FROM discovery.assets WHERE {keys[0]}",
        f"INSERT INTO discovery.asset_conflicts (tenant_id, project_id, master_flow_id, raw_record_id, asset_id, kind, incoming) SELECT {owner}, r.master_flow_id, r.id, a.id, 'name', '{{}}' FROM discovery.raw_records AS r, discovery.assets AS a WHERE r.{keys[0]} AND a.{keys[0]}",
    ):
        database.psql(statement)


def test_without_a_tenant_nothing_is_seen_and_with_one_only_its_own(
    database: Database, acting: Acting, ours: Tenant, theirs: Tenant
) -> None:
    for tenant in (ours, theirs):
        fill(database, tenant)
    tables = database.psql(SCOPED)
    assert len(tables) >= 7
    for schema, name in tables:
        seen = sql.SQL("SELECT DISTINCT tenant_id FROM {}").format(sql.Identifier(schema, name))
        assert {t for (t,) in database.psql(seen.as_string())} == {ours.id, theirs.id}, name
        with acting() as nobody:
            assert nobody.execute(seen).fetchall() == [], name
        with acting(ours) as connection:
            assert connection.execute(seen).fetchall() == [(ours.id,)], name
    with acting(ours) as connection:
        assert connection.execute("SELECT id FROM core.tenants").fetchall() == [(ours.id,)]
    with acting() as nobody:
        assert nobody.execute("SELECT id FROM core.tenants").fetchall() == []


def test_the_setting_ends_with_its_transaction(acting: Acting, ours: Tenant) -> None:
    with acting() as connection:
        with connection.transaction():
            connection.execute("SELECT set_config('app.tenant_id', %s, true)", (str(ours.id),))
            assert connection.execute("SELECT 1 FROM workspace.projects").fetchall()
        assert not connection.execute("SELECT 1 FROM workspace.projects").fetchall()


def test_foreign_rows_can_be_neither_written_nor_changed(
    acting: Acting, ours: Tenant, theirs: Tenant
) -> None:
    with acting(ours) as connection:
        with pytest.raises(errors.InsufficientPrivilege, match="row-level security"):
            connection.execute(
                "INSERT INTO workspace.users (tenant_id, email, name) VALUES (%s, 'a@b.c', 'A')",
                (theirs.id,),
            )
        for change in (
            "UPDATE workspace.projects SET name = 'x'",
            "DELETE FROM workspace.projects",
        ):
            cursor = connection.execute(f"{change} WHERE id = %s", (theirs.project,))
            assert cursor.rowcount == 0


def test_a_link_across_tenants_cannot_be_stored_even_by_a_superuser(
    database: Database, ours: Tenant, theirs: Tenant
) -> None:
    links = [
        ("INSERT INTO workspace.projects (tenant_id, name, language, created_by) VALUES (%s, 'x', 'en', %s)", theirs.user),
        ("INSERT INTO workspace.project_members (tenant_id, project_id, user_id, role) VALUES (%s, %s, uuidv7(), 'editor')", theirs.project),
        ("INSERT INTO workspace.document_versions (tenant_id, project_id, document_type, content) VALUES (%s, %s, 'a', 'b')", theirs.project),
        ("INSERT INTO workspace.agent_executions (tenant_id, project_id, agent_type, correlation_id) VALUES (%s, %s, 'a', 'c')", theirs.project),
        ("INSERT INTO core.api_keys (tenant_id, secret_hash, scopes, user_id) VALUES (%s, sha256('x'), '{*}', %s)", theirs.user),
    ]  # fmt: skip
    for statement, foreign in links:
        with pytest.raises(errors.ForeignKeyViolation):
            database.psql(statement, ours.id, foreign)
    with pytest.raises(errors.ForeignKeyViolation):
        database.psql(
            "INSERT INTO workspace.users (tenant_id, email, name) VALUES (uuidv7(), 'a@b.c', 'A')"
        )


def test_a_tenant_with_projects_cannot_be_removed(database: Database, ours: Tenant) -> None:
    with pytest.raises(errors.ForeignKeyViolation):
        database.psql("DELETE FROM core.tenants WHERE id = %s", ours.id)


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE public.mine ()",
        "CREATE TEMPORARY TABLE mine ()",
        "CREATE SCHEMA mine",
        "ALTER TABLE workspace.projects ADD COLUMN x int",
        "TRUNCATE workspace.projects",
        "DELETE FROM workspace.document_versions",
        "DELETE FROM workspace.users",
        "DELETE FROM workspace.document_counters",
        "DELETE FROM workspace.agent_executions",
        "UPDATE workspace.agent_executions SET started_at = now()",
        "UPDATE workspace.agent_executions SET version = 7",
        "INSERT INTO workspace.agent_executions (tenant_id, project_id, agent_type, correlation_id, status) VALUES (uuidv7(), uuidv7(), 'a', 'c', 'running')",
        "UPDATE core.topic_events SET data = '{}'",
        "DELETE FROM core.topic_events",
        "SELECT secret_hash FROM core.api_keys",
        "INSERT INTO core.tenants (name) VALUES ('mine')",
        "UPDATE core.api_keys SET scopes = '{*}'",
        "DELETE FROM audit.events",
        "UPDATE audit.events SET actor = 'somebody else'",
        "SELECT * FROM audit.events_default",
        "INSERT INTO audit.personal_columns VALUES ('workspace.projects', 'name')",
        "SET ROLE quarry_owner",
        "SET SESSION AUTHORIZATION postgres",
    ],
)
def test_the_service_may_not(acting: Acting, ours: Tenant, statement: str) -> None:
    with acting(ours) as connection, pytest.raises(errors.InsufficientPrivilege):
        connection.execute(statement)


def test_the_read_only_role_reads_one_tenant_and_writes_nothing(
    database: Database, ours: Tenant, theirs: Tenant
) -> None:
    dsn = psycopg.conninfo.make_conninfo(database.owner_dsn, user="quarry_readonly")
    with psycopg.connect(dsn, autocommit=True) as connection:
        assert connection.execute("SELECT id FROM workspace.projects").fetchall() == []
        connection.execute("SELECT set_config('app.tenant_id', %s, false)", (str(ours.id),))
        seen = connection.execute("SELECT id FROM workspace.projects").fetchall()
        assert seen == [(ours.project,)]
        connection.execute("SET default_transaction_read_only = off")
        with pytest.raises(errors.InsufficientPrivilege):
            connection.execute("UPDATE workspace.projects SET name = 'x'")


def test_the_backup_role_sees_all_rows(database: Database, ours: Tenant, theirs: Tenant) -> None:
    dsn = psycopg.conninfo.make_conninfo(database.owner_dsn, user="quarry_backup")
    assert database.psql("SELECT count(*) FROM workspace.projects", dsn=dsn) == [(2,)]


def test_a_policy_is_asked_once_per_statement(acting: Acting, ours: Tenant) -> None:
    with acting(ours) as connection:
        plan = connection.execute("EXPLAIN SELECT id FROM workspace.projects").fetchall()
    assert "InitPlan" in str(plan)
