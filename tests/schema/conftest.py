"""Two tenants with a user and a project each, and connections that act for one of them."""
# ruff: noqa: E501 (SQL in one line)

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
import pytest

from tests.support.cluster import Database

Connection = psycopg.Connection[Any]
Acting = Callable[..., AbstractContextManager[Connection]]


@dataclass(frozen=True)
class Tenant:
    """Ids of what the fixture made for a tenant."""

    id: UUID
    user: UUID
    project: UUID


@pytest.fixture
def acting(database: Database) -> Acting:
    """`with acting(tenant) as connection`: the service's role, autocommit, bound to the tenant."""

    @contextmanager
    def connect(tenant: Tenant | None = None, **settings: str) -> Iterator[Connection]:
        with psycopg.connect(database.app_dsn, autocommit=True) as connection:
            bound = {"tenant_id": str(tenant.id)} if tenant else {}
            for name, value in (bound | settings).items():
                connection.execute("SELECT set_config(%s, %s, false)", (f"app.{name}", value))
            yield connection

    return connect


@pytest.fixture
def ours(database: Database) -> Tenant:
    return _tenant(database, "ours")


@pytest.fixture
def theirs(database: Database) -> Tenant:
    return _tenant(database, "theirs")


def _tenant(database: Database, name: str) -> Tenant:
    with psycopg.connect(database.owner_dsn, autocommit=True) as owner:

        def value(statement: str, *params: object) -> UUID:
            row = owner.execute(statement, params).fetchone()
            assert row
            return row[0]  # type: ignore[no-any-return]

        tenant = value("INSERT INTO core.tenants (name) VALUES (%s) RETURNING id", name)
        user = value(
            "INSERT INTO workspace.users (tenant_id, email, name) VALUES (%s, %s, 'Ada') RETURNING id",
            tenant, f"ada@{name}.example",
        )  # fmt: skip
        project = value(
            "INSERT INTO workspace.projects (tenant_id, name, language, created_by)"
            " VALUES (%s, 'First', 'en', %s) RETURNING id",
            tenant, user,
        )  # fmt: skip
        return Tenant(tenant, user, project)
