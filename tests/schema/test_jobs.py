"""The queue's own rules: who sees it, what may follow what, what never changes."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from psycopg import errors

from tests.schema.conftest import Acting, Connection, Tenant
from tests.support.cluster import Database

ADD = "INSERT INTO ops.jobs (tenant_id, kind) VALUES (%s, 'sample') RETURNING id"


def test_the_worker_sees_the_jobs_of_all_tenants_and_nothing_else(
    acting: Acting, ours: Tenant, theirs: Tenant
) -> None:
    for tenant in (ours, theirs):
        with acting(tenant) as connection:
            connection.execute(ADD, (tenant.id,))
    with acting() as connection:
        assert connection.execute("SELECT 1 FROM ops.jobs").fetchall() == []
        with connection.transaction():
            connection.execute("SET LOCAL ROLE quarry_worker")
            seen = connection.execute("SELECT tenant_id FROM ops.jobs").fetchall()
            assert {tenant for (tenant,) in seen} == {ours.id, theirs.id}
        assert connection.execute("SELECT 1 FROM ops.jobs").fetchall() == []
        for table in ("workspace.projects", "core.tenants", "core.api_keys", "audit.events"):
            with pytest.raises(errors.InsufficientPrivilege), connection.transaction():
                connection.execute("SET LOCAL ROLE quarry_worker")
                connection.execute(f"SELECT 1 FROM {table}")
        with pytest.raises(errors.InsufficientPrivilege), connection.transaction():
            connection.execute("SET LOCAL ROLE quarry_worker")
            connection.execute(ADD, (ours.id,))


def test_a_tenant_can_neither_claim_nor_plant_a_foreign_job(
    database: Database, acting: Acting, ours: Tenant, theirs: Tenant
) -> None:
    database.psql(ADD, theirs.id)
    with acting(ours) as connection:
        changed = connection.execute("UPDATE ops.jobs SET run_at = now()")
        assert changed.rowcount == 0
        with pytest.raises(errors.InsufficientPrivilege, match="row-level security"):
            connection.execute(ADD, (theirs.id,))
        with pytest.raises(errors.InsufficientPrivilege):
            connection.execute("DELETE FROM ops.jobs")


RUNNING = "state = 'running', claim = uuidv4(), lease_until = now(), finished_at = NULL"
STATES = {
    "queued": "state = 'queued', claim = NULL, lease_until = NULL, finished_at = NULL",
    "running": RUNNING,
    **{state: f"state = '{state}', claim = NULL, lease_until = NULL, finished_at = now()"
       for state in ("succeeded", "dead", "cancelled")},
}  # fmt: skip
ALLOWED = {
    ("queued", "running"), ("queued", "cancelled"), ("running", "queued"),
    ("running", "succeeded"), ("running", "dead"), ("running", "cancelled"),
    ("dead", "queued"), ("cancelled", "queued"),
}  # fmt: skip


@pytest.fixture
def superuser(database: Database) -> Iterator[Connection]:
    with psycopg.connect(database.owner_dsn, autocommit=True) as connection:
        yield connection


def test_states_follow_each_other_as_they_may(superuser: Connection, ours: Tenant) -> None:
    way = {"succeeded": "running", "dead": "running"}
    for begin in STATES:
        for end, becomes in STATES.items():
            if begin == end:
                continue
            row = superuser.execute(ADD, (ours.id,)).fetchone()
            assert row
            for step in (way.get(begin), begin):
                if step not in (None, "queued"):
                    superuser.execute(f"UPDATE ops.jobs SET {STATES[step]} WHERE id = %s", row)
            change = f"UPDATE ops.jobs SET {becomes} WHERE id = %s"
            if (begin, end) in ALLOWED:
                superuser.execute(change, row)
                continue
            with pytest.raises(psycopg.Error) as refused:
                superuser.execute(change, row)
            assert refused.value.sqlstate == "QRY01", (begin, end)


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ("kind = 'other'", "jobs_immutable"),
        ("args = '{\"a\": 1}'", "jobs_immutable"),
        ("created_at = now() - interval '1 day'", "jobs_immutable"),
        ("progress = 101", "jobs_progress_range"),
        ("state = 'running'", "jobs_claim_of_running"),
        ("claim = uuidv4(), lease_until = now()", "jobs_claim_of_running"),
        ("state = 'cancelled'", "jobs_finished_at_end"),
        ("finished_at = now()", "jobs_finished_at_end"),
        ("attempts = -1", "jobs_attempts_positive"),
        ("last_error = repeat('x', 1001)", "jobs_last_error_length"),
    ],
)
def test_a_job_keeps_its_rules(
    superuser: Connection, ours: Tenant, change: str, constraint: str
) -> None:
    superuser.execute(ADD, (ours.id,))
    with pytest.raises(errors.CheckViolation) as refused:
        superuser.execute(f"UPDATE ops.jobs SET {change}")
    assert refused.value.diag.constraint_name == constraint
