"""The rules of users, projects and members that the database keeps by itself."""
# ruff: noqa: E501 (SQL in one line)

from __future__ import annotations

import threading
from typing import Any

import pytest
from psycopg import errors

from tests.schema.conftest import Acting, Connection, Tenant

USER = "INSERT INTO workspace.users (tenant_id, email, name) VALUES (%s, %s, %s) RETURNING id"
PROJECT = "INSERT INTO workspace.projects (tenant_id, name, language) VALUES (%s, %s, %s)"


def one(connection: Connection, statement: str, *params: object) -> Any:
    row = connection.execute(statement, params).fetchone()
    assert row
    return row[0]


def refused(connection: Connection, constraint: str, statement: str, *params: object) -> None:
    with pytest.raises(errors.IntegrityError) as caught:
        connection.execute(statement, params)
    assert caught.value.diag.constraint_name == constraint


def test_an_address_is_unique_among_live_users_whatever_its_case(
    acting: Acting, ours: Tenant, theirs: Tenant
) -> None:
    with acting(ours) as connection:
        refused(connection, "users_email_key", USER, ours.id, "ADA@ours.example", "Ada")
        connection.execute("UPDATE workspace.users SET deleted_at = now()")
        one(connection, USER, ours.id, "ADA@ours.example", "Ada")
    with acting(theirs) as connection:
        one(connection, USER, theirs.id, "ada@ours.example", "Ada")


@pytest.mark.parametrize("email", ["", "ada", "ada@", "@x.y", "a b@x.y", "a@b", "a@b@c.d", "a@b.", "x" * 250 + "@a.bc"])  # fmt: skip
def test_an_address_has_its_shape(acting: Acting, ours: Tenant, email: str) -> None:
    with acting(ours) as connection, pytest.raises(errors.CheckViolation, match="users_email_"):
        connection.execute(USER, (ours.id, email, "Ada"))


@pytest.mark.parametrize(
    ("constraint", "change"),
    [
        ("projects_name_length", "name = ''"),
        ("projects_name_length", "name = repeat('x', 256)"),
        ("projects_status_known", "status = 'lost'"),
        ("projects_current_step_range", "current_step = 5"),
        ("projects_current_step_range", "current_step = 0"),
        ("projects_metadata_object", "metadata = '[]'"),
        ("projects_language_immutable", "language = 'de'"),
        ("projects_id_immutable", "id = uuidv7()"),
        ("projects_tenant_id_immutable", "tenant_id = uuidv7()"),
        ("projects_created_at_immutable", "created_at = now()"),
    ],
)
def test_a_project_keeps_its_rules(
    acting: Acting, ours: Tenant, constraint: str, change: str
) -> None:
    with acting(ours) as connection:
        refused(connection, constraint, f"UPDATE workspace.projects SET {change}")
        connection.execute("UPDATE workspace.projects SET language = 'en'")


@pytest.mark.parametrize("language", ["en", "de-AT", "zh-Hant-TW", "sr-Latn", "nan", "es-419"])
def test_language_tags(acting: Acting, ours: Tenant, language: str) -> None:
    with acting(ours) as connection:
        connection.execute(PROJECT, (ours.id, "x", language))


@pytest.mark.parametrize("language", ["", "e", "english", "en_US", "en-", "-en", "e1", "zh-Hant-TWN"])  # fmt: skip
def test_what_is_no_language_tag(acting: Acting, ours: Tenant, language: str) -> None:
    with (
        acting(ours) as connection,
        pytest.raises(errors.CheckViolation, match="projects_language"),
    ):
        connection.execute(PROJECT, (ours.id, "x", language))


def test_version_and_updated_at_are_the_databases_own(acting: Acting, ours: Tenant) -> None:
    with acting(ours) as connection:
        query = "SELECT version, updated_at, created_at FROM workspace.projects"
        ((_, first, created),) = connection.execute(query).fetchall()
        connection.execute(
            "UPDATE workspace.projects SET name = 'x', version = 99, updated_at = '2001-01-01'"
        )
        ((version, second, same),) = connection.execute(query).fetchall()
    assert version == 2
    assert second > first
    assert same == created


# Members


def test_the_creator_is_owner(acting: Acting, ours: Tenant) -> None:
    with acting(ours) as connection:
        rows = connection.execute(
            "SELECT project_id, user_id, role FROM workspace.project_members"
        ).fetchall()
    assert rows == [(ours.project, ours.user, "owner")]


def second_owner(connection: Connection, ours: Tenant) -> None:
    bob = one(connection, USER, ours.id, "bob@ours.example", "Bob")
    connection.execute(
        "INSERT INTO workspace.project_members (tenant_id, project_id, user_id, role) VALUES (%s, %s, %s, 'owner')",
        (ours.id, ours.project, bob),
    )


def test_the_last_owner_stays(acting: Acting, ours: Tenant) -> None:
    with acting(ours) as connection:
        keep = "project_members_keep_owner"
        refused(connection, keep, "DELETE FROM workspace.project_members")
        refused(connection, keep, "UPDATE workspace.project_members SET role = 'viewer'")
        second_owner(connection, ours)
        refused(connection, keep, "DELETE FROM workspace.project_members")
        gone = connection.execute(
            "DELETE FROM workspace.project_members WHERE user_id = %s", (ours.user,)
        )
        assert gone.rowcount == 1
        ends = "UPDATE workspace.project_members SET user_id = %s"
        refused(connection, "project_members_user_id_immutable", ends, ours.user)


def test_a_project_may_be_handed_over_in_one_transaction(acting: Acting, ours: Tenant) -> None:
    with acting(ours) as connection, connection.transaction():
        connection.execute("SET CONSTRAINTS workspace.project_members_keep_owner DEFERRED")
        connection.execute("UPDATE workspace.project_members SET role = 'viewer'")
        second_owner(connection, ours)


def test_two_owners_who_leave_at_once_leave_one(acting: Acting, ours: Tenant) -> None:
    results: list[str] = []
    ready = threading.Barrier(2)

    def leave(own: bool) -> None:
        with acting(ours) as connection:
            comparison = "=" if own else "<>"
            try:
                with connection.transaction():
                    ready.wait()
                    connection.execute(
                        f"DELETE FROM workspace.project_members WHERE user_id {comparison} %s",
                        (ours.user,),
                    )
                    connection.execute("SELECT pg_sleep(0.3)")
                results.append("left")
            except errors.CheckViolation:
                results.append("stayed")

    with acting(ours) as connection:
        second_owner(connection, ours)
        threads = [threading.Thread(target=leave, args=(own,)) for own in (True, False)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(results) == ["left", "stayed"]
        assert one(connection, "SELECT count(*) FROM workspace.project_members") == 1


def test_a_project_is_deleted_with_all_its_members(acting: Acting, ours: Tenant) -> None:
    with acting(ours) as connection:
        connection.execute("DELETE FROM workspace.projects")
        assert one(connection, "SELECT count(*) FROM workspace.project_members") == 0
