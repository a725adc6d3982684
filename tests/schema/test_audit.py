"""The audit trail: every change, in the words of the one who made it, and never changed."""
# ruff: noqa: E501 (SQL in one line)

from __future__ import annotations

import threading
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg import errors
from psycopg.rows import dict_row

from tests.schema.conftest import Acting, Connection, Tenant
from tests.support.cluster import Database


def events(connection: Connection, table: str) -> list[dict[str, Any]]:
    with connection.cursor(row_factory=dict_row) as cursor:
        query = "SELECT * FROM audit.events WHERE table_name = %s ORDER BY at, id"
        return cursor.execute(query, (table,)).fetchall()


def new_project(connection: Connection, tenant: Tenant) -> UUID:
    row = connection.execute(
        "INSERT INTO workspace.projects (tenant_id, name, language) VALUES (%s, 'Old', 'en') RETURNING id",
        (tenant.id,),
    ).fetchone()
    assert row
    return row[0]  # type: ignore[no-any-return]


def test_each_change_says_who_what_and_from_what_to_what(acting: Acting, ours: Tenant) -> None:
    who = {"actor": "key:1", "user_id": str(ours.user), "request_id": "req-7"}
    with acting(ours, **who) as connection:
        connection.execute("DELETE FROM workspace.projects")  # the one of the fixture
        project = new_project(connection, ours)
        connection.execute("UPDATE workspace.projects SET name = 'New', status = 'draft'")
        connection.execute("DELETE FROM workspace.projects")
        inserted, updated, deleted = events(connection, "workspace.projects")[-3:]
    for event in (inserted, updated, deleted):
        assert event["tenant_id"] == ours.id
        assert event["row_id"] == project
        assert (event["actor"], event["user_id"], event["request_id"]) == (
            "key:1",
            ours.user,
            "req-7",
        )
    assert (inserted["action"], inserted["before"], inserted["after"]["name"]) == (
        "insert",
        None,
        "Old",
    )
    assert updated["action"] == "update"
    assert updated["before"].keys() == updated["after"].keys() == {"name", "version", "updated_at"}
    assert (updated["before"]["name"], updated["after"]["name"]) == ("Old", "New")
    assert (updated["before"]["version"], updated["after"]["version"]) == (1, 2)
    assert (deleted["action"], deleted["before"]["name"], deleted["after"]) == (
        "delete",
        "New",
        None,
    )


def test_what_is_deleted_with_a_project_is_in_the_trail(acting: Acting, ours: Tenant) -> None:
    with acting(ours) as connection:
        connection.execute(
            "INSERT INTO workspace.document_versions (tenant_id, project_id, document_type, content)"
            " VALUES (%s, %s, 'a', 'text')",
            (ours.id, ours.project),
        )
        connection.execute("DELETE FROM workspace.projects")
        gone = connection.execute(
            "SELECT table_name FROM audit.events WHERE action = 'delete' ORDER BY 1"
        ).fetchall()
    assert gone == [
        ("workspace.document_versions",), ("workspace.project_members",), ("workspace.projects",),
    ]  # fmt: skip


def test_bulky_columns_and_secrets_stay_out(
    database: Database, acting: Acting, ours: Tenant
) -> None:
    with acting(ours) as connection:
        connection.execute(
            "INSERT INTO workspace.document_versions (tenant_id, project_id, document_type, content)"
            " VALUES (%s, %s, 'a', 'text')",
            (ours.id, ours.project),
        )
        connection.execute("UPDATE workspace.document_versions SET grammar_score = 50")
        inserted, updated = events(connection, "workspace.document_versions")
        assert inserted["after"].keys().isdisjoint({"content", "search"})
        assert inserted["after"]["content_sha256"]
        assert updated["after"].keys() == {"grammar_score", "revision", "updated_at"}
        database.psql(
            "INSERT INTO core.api_keys (tenant_id, secret_hash, scopes) VALUES (%s, sha256('x'), '{*}')",
            ours.id,
        )
        connection.execute("UPDATE core.api_keys SET last_used_at = now()")
        (key,) = events(connection, "core.api_keys")  # a use is no change
        assert "secret_hash" not in key["after"]


def test_many_rows_leave_one_event_each(acting: Acting, ours: Tenant) -> None:
    with acting(ours) as connection:
        connection.execute(
            "INSERT INTO workspace.projects (tenant_id, name, language)"
            " SELECT %s, 'Project ' || i, 'en' FROM generate_series(1, 500) AS i",
            (ours.id,),
        )
        connection.execute(
            "UPDATE workspace.projects SET current_step = 2 WHERE name LIKE 'Project %%'"
        )
        connection.execute("UPDATE workspace.projects SET current_step = 3 WHERE false")
        trail = events(connection, "workspace.projects")
    renamed = [e for e in trail if e["action"] == "update"]
    assert len(renamed) == len({e["row_id"] for e in renamed}) == 500
    assert all(e["after"]["current_step"] == 2 for e in renamed)


def test_without_settings_the_database_role_is_named(database: Database, ours: Tenant) -> None:
    ((actor, user, request),) = database.psql(
        "SELECT actor, user_id, request_id FROM audit.events WHERE row_id = %s", ours.project
    )
    assert (actor, user, request) == ("postgres", None, None)


def test_a_rollback_takes_its_events_along(acting: Acting, ours: Tenant) -> None:
    with acting(ours) as connection:
        before = len(events(connection, "workspace.projects"))
        with connection.transaction(force_rollback=True):
            new_project(connection, ours)
        assert len(events(connection, "workspace.projects")) == before


def test_the_service_cannot_write_for_another_tenant(
    acting: Acting, ours: Tenant, theirs: Tenant
) -> None:
    with acting(ours) as connection, pytest.raises(errors.InsufficientPrivilege):
        connection.execute(
            "INSERT INTO audit.events (tenant_id, actor, table_name, row_id, action)"
            " VALUES (%s, 'x', 'workspace.projects', uuidv7(), 'insert')",
            (theirs.id,),
        )


# Erasing


def test_personal_data_leaves_the_trail_and_the_event_of_that_stays(
    acting: Acting, ours: Tenant
) -> None:
    with acting(ours, actor="key:9") as connection:
        connection.execute("UPDATE workspace.users SET name = 'Ada Lovelace'")
        connection.execute("UPDATE workspace.users SET name = 'erased', email = 'erased@x.invalid'")
        connection.execute("SELECT audit.redact('workspace.users', %s)", (ours.user,))
        trail = events(connection, "workspace.users")
    assert "Ada" not in str(trail)
    assert "ada@" not in str(trail)
    assert [e["action"] for e in trail] == ["insert", "update", "update", "redact"]
    assert trail[-1]["actor"] == "key:9"
    assert trail[-1]["after"] == {"columns": ["email", "name", "profile"], "events": 3}
    assert trail[0]["after"]["email"] == "[erased]"
    assert trail[0]["after"]["id"] == str(ours.user)


def test_only_personal_columns_and_only_of_the_own_tenant(
    acting: Acting, ours: Tenant, theirs: Tenant
) -> None:
    redact = "SELECT audit.redact(%s, %s)"
    with acting(ours) as connection:
        assert connection.execute(redact, ("workspace.users", theirs.user)).fetchall() == [(0,)]
        with pytest.raises(errors.InvalidParameterValue):
            connection.execute(redact, ("workspace.projects", ours.project))
    with acting() as nobody, pytest.raises(errors.InsufficientPrivilege):
        nobody.execute(redact, ("workspace.users", ours.user))
    with acting(theirs) as connection:
        assert "ada@theirs" in str(events(connection, "workspace.users"))


# Partitions


def test_partitions_are_made_ahead_once_however_many_ask(
    database: Database, acting: Acting
) -> None:
    made: list[int] = []

    def ask() -> None:
        with acting() as nobody:
            made.append(nobody.execute("SELECT audit.ensure_partitions(6)").fetchall()[0][0])

    threads = [threading.Thread(target=ask) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made) == [0, 0, 0, 0, 3]
    partitions = database.psql(
        "SELECT count(*) FROM pg_inherits WHERE inhparent = 'audit.events'::regclass"
    )
    assert partitions == [(8,)]


def test_events_beyond_the_partitions_are_kept_and_moved_when_there_is_one(
    database: Database, acting: Acting, ours: Tenant
) -> None:
    database.psql(
        "INSERT INTO audit.events (tenant_id, at, actor, table_name, row_id, action)"
        " VALUES (%s, date_trunc('month', now(), 'UTC') + interval '5 months', 'x', 't.t', uuidv7(), 'insert')",
        ours.id,
    )
    count = "SELECT count(*) FROM audit.events_default"
    assert database.psql(count) == [(1,)]
    with acting() as nobody:
        nobody.execute("SELECT audit.ensure_partitions(5)")
    assert database.psql(count) == [(0,)]
    assert database.psql("SELECT count(*) FROM audit.events WHERE table_name = 't.t'") == [(1,)]


def test_the_newest_events_come_by_index(database: Database, ours: Tenant) -> None:
    with psycopg.connect(database.app_dsn) as connection:
        connection.execute("SELECT set_config('app.tenant_id', %s, true)", (str(ours.id),))
        connection.execute("SET LOCAL enable_seqscan = off")
        plan = str(
            connection.execute(
                "EXPLAIN SELECT id FROM audit.events WHERE tenant_id = %s ORDER BY at DESC, id DESC LIMIT 50",
                (ours.id,),
            ).fetchall()
        )
    assert "Merge Append" in plan
    assert "->  Sort" not in plan


# Which tables

NOT_AUDITED = {
    "assistant.memory_generations": "says only that the memories changed, which are audited",
    "audit.events": "the trail itself",
    "cases.case_events": "append-only; what was executed, written by the one statement that may",
    "cases.case_versions": "append-only; the documents themselves",
    "cases.dsl_operations": "append-only; what came through the gateway",
    "core.idempotency": "answers kept for a day; what they answered is audited",
    "core.topic_events": "what listeners are told; the changes themselves are audited",
    "discovery.asset_dependencies": "worked out from the assets, which are audited; goes with them",
    "discovery.flow_transitions": "a trail of its own, written once",
    "discovery.raw_records": "evidence: raw never changes, and findings tell each change of the rest",
    "ops.repairs": "keeps what repairs changed; they write the trail of the rows themselves",
    "ops.jobs": "the queue; what a job does is audited, as done by job:<kind>",
    "workspace.document_counters": "counts the documents, which are audited",
}


def test_every_table_of_a_tenant_is_audited_or_named_here_with_a_reason(
    database: Database,
) -> None:
    """Inserts, updates and deletes; read from the catalogue."""
    rows = database.psql(
        """SELECT c.oid::regclass::text,
                  bool_or(t.tgtype & 4 > 0), bool_or(t.tgtype & 16 > 0), bool_or(t.tgtype & 8 > 0)
             FROM pg_class AS c
             JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname = 'tenant_id'
             LEFT JOIN pg_trigger AS t
               ON t.tgrelid = c.oid AND t.tgenabled IN ('O', 'A')
              AND t.tgfoid IN (SELECT f.oid FROM pg_proc AS f
                                WHERE f.pronamespace = 'audit'::regnamespace)
            WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
            GROUP BY c.oid"""
    )
    without = {table for table, *ways in rows if not all(ways)}
    assert without == NOT_AUDITED.keys()
