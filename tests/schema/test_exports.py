"""The rules of exports that the database keeps, whoever writes."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

import psycopg
import pytest
from psycopg import errors

from tests.schema.conftest import Acting, Connection, Tenant
from tests.support.cluster import Database

ADD = (
    "INSERT INTO workspace.exports (tenant_id, project_id, format) VALUES (%s, %s, 'zip')"
    " RETURNING id"
)
WHOLE = (
    "file_name = 'x.zip', file_size = 1, file_sha256 = sha256('x'),"
    " completed_at = coalesce(completed_at, now()), expires_at = now() + interval '1 day'"
)
WAYS: dict[str, list[str]] = {
    "pending": [],
    "running": ["status = 'running'"],
    "completed": ["status = 'running'", f"status = 'completed', {WHOLE}"],
    "failed": ["status = 'failed', error_message = 'no'"],
    "expired": ["status = 'running'", f"status = 'completed', {WHOLE}", "status = 'expired'"],
}
STEPS = {
    "pending": "status = 'pending'", "running": "status = 'running'",
    "completed": f"status = 'completed', {WHOLE}",
    "failed": "status = 'failed', error_message = 'no'",
    "expired": f"status = 'expired', {WHOLE}",
}  # fmt: skip
ALLOWED = {
    ("pending", "running"), ("pending", "failed"), ("running", "completed"), ("running", "failed"),
    ("completed", "expired"), ("completed", "failed"), ("failed", "running"),
}  # fmt: skip


@pytest.fixture
def superuser(database: Database) -> Iterator[Connection]:
    with psycopg.connect(database.owner_dsn, autocommit=True) as connection:
        yield connection


def export(connection: Connection, tenant: Tenant, status: str = "pending") -> UUID:
    """An export in this status."""
    row = connection.execute(ADD, (tenant.id, tenant.project)).fetchone()
    assert row
    for step in WAYS[status]:
        connection.execute(f"UPDATE workspace.exports SET {step} WHERE id = %s", row)
    return row[0]  # type: ignore[no-any-return]


@pytest.mark.parametrize("begin", WAYS)
def test_states_follow_each_other_as_they_may(
    superuser: Connection, ours: Tenant, begin: str
) -> None:
    for end, step in STEPS.items():
        if begin == end:
            continue
        made = export(superuser, ours, begin)
        change = f"UPDATE workspace.exports SET {step} WHERE id = %s"
        if (begin, end) in ALLOWED:
            superuser.execute(change, (made,))
            continue
        with pytest.raises(psycopg.Error) as refused:
            superuser.execute(change, (made,))
        assert refused.value.sqlstate in ("QRY01", "23514"), (begin, end)


@pytest.mark.parametrize(
    ("status", "change", "constraint"),
    [
        ("pending", "format = 'ndjson'", "exports_format_immutable"),
        ("pending", "document_types = '{a}'", "exports_document_types_immutable"),
        ("pending", "versions = 'all'", "exports_versions_immutable"),
        ("pending", "created_by = uuidv7()", "exports_created_by_immutable"),
        ("pending", "tenant_id = uuidv7()", "exports_tenant_id_immutable"),
        ("pending", "created_at = now() - interval '1 day'", "exports_created_at_immutable"),
        ("pending", "download_count = -1", "exports_download_count_positive"),
        ("pending", "manifest = '[]'", "exports_manifest_object"),
        ("running", "status = 'completed'", "exports_completed_whole"),
        ("running", "status = 'failed'", "exports_failed_told"),
        ("running", "file_sha256 = 'short'", "exports_file_sha256_length"),
        ("running", "file_size = -1", "exports_file_size_positive"),
        ("completed", "file_sha256 = sha256('y')", "exports_file_sha256_immutable"),
        ("completed", "file_size = 2", "exports_file_size_immutable"),
        ("completed", "manifest = '{\"a\": 1}'", "exports_manifest_immutable"),
        ("completed", "completed_at = now() + interval '1 s'", "exports_completed_at_immutable"),
    ],
)
def test_an_export_keeps_its_rules(
    superuser: Connection, ours: Tenant, status: str, change: str, constraint: str
) -> None:
    made = export(superuser, ours, status)
    with pytest.raises(errors.CheckViolation) as refused:
        superuser.execute(f"UPDATE workspace.exports SET {change} WHERE id = %s", (made,))
    assert refused.value.diag.constraint_name == constraint


@pytest.mark.parametrize("types", ["{}", '{""}', "{a,NULL}"])
def test_types_are_named_or_all(superuser: Connection, ours: Tenant, types: str) -> None:
    with pytest.raises(errors.CheckViolation):
        superuser.execute(
            "INSERT INTO workspace.exports (tenant_id, project_id, format, document_types)"
            " VALUES (%s, %s, 'zip', %s)",
            (ours.id, ours.project, types),
        )


def test_an_export_that_is_built_again_forgets_why_it_failed(
    superuser: Connection, ours: Tenant
) -> None:
    made = export(superuser, ours, "failed")
    superuser.execute("UPDATE workspace.exports SET status = 'running' WHERE id = %s", (made,))
    row = superuser.execute("SELECT error_message, completed_at FROM workspace.exports").fetchone()
    assert row == (None, None)


def test_upkeep_works_over_all_tenants_and_tells_ids_alone(
    superuser: Connection, acting: Acting, ours: Tenant, theirs: Tenant
) -> None:
    over = [export(superuser, tenant, "completed") for tenant in (ours, theirs)]
    superuser.execute("UPDATE workspace.exports SET expires_at = now() - interval '1 s'")
    kept = export(superuser, ours, "completed")
    lonely = export(superuser, theirs, "running")
    with acting() as nobody:
        expired = nobody.execute("SELECT export_id FROM workspace.expire_exports(10)").fetchall()
        assert {made for (made,) in expired} == set(over)
        assert nobody.execute("SELECT 1 FROM workspace.expire_exports(10)").fetchall() == []
        assert nobody.execute("SELECT workspace.abandon_exports()").fetchone() == (1,)
        asked = ([ours.id, theirs.id, ours.id], [kept, kept, UUID(int=1)])
        found = nobody.execute("SELECT * FROM workspace.describe_exports(%s, %s)", asked).fetchall()
        assert [row[1:3] for row in found] == [(kept, "completed")]
        assert nobody.execute("SELECT 1 FROM workspace.exports").fetchall() == []
    row = superuser.execute(
        "SELECT status FROM workspace.exports WHERE id = %s", (lonely,)
    ).fetchone()
    assert row == ("failed",)
