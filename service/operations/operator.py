"""What an operator does to tenants and keys: the named queries, run with the owner's rights."""

from __future__ import annotations

import getpass
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
from psycopg.rows import dict_row

from service.database.queries import Query, load
from service.database.tree import sql
from service.http.keys import new_key


class OperatorError(Exception):
    """What was asked cannot be done; the message says why."""


class Operator:
    """Named queries over one connection of the migrating role, as a person at the command line."""

    def __init__(self, connection: psycopg.Connection[Any], queries: Mapping[str, Query]) -> None:
        self._connection = connection
        self._queries = queries
        self._tenant: UUID | None = None

    def run(self, name: Any, /, **values: Any) -> list[dict[str, Any]]:
        """The rows of a named query as dictionaries."""
        query = self._queries[name]
        given = {**values, "tenant_id": self._tenant}
        text = query.wire if query.kind == "affected" else query.sql
        with psycopg.RawCursor(self._connection, row_factory=dict_row) as cursor:
            return cursor.execute(text.encode(), [given.get(n) for n in query.order]).fetchall()

    @contextmanager
    def as_tenant(self, tenant: str | None = None) -> Iterator[dict[str, Any] | None]:
        """A transaction in the name of the person at the terminal, for one tenant if named.

        Raises OperatorError when there is no such tenant.
        """
        with self._connection.transaction():
            found = None
            if tenant is not None:
                rows = self.run(sql.tenants.find, tenant=tenant)
                if not rows:
                    raise OperatorError(f"there is no tenant {tenant!r}")
                found = rows[0]
                self._tenant = found["id"]
            actor = f"operator:{getpass.getuser()}"
            self.run(sql.operator.identify, actor=actor,
                     tenant=None if found is None else str(found["id"]))  # fmt: skip
            try:
                yield found
            finally:
                self._tenant = None

    def add_tenant(self, name: str) -> dict[str, Any]:
        """A new tenant. Raises OperatorError when the name is taken or no slug."""
        try:
            with self.as_tenant():
                return self.run(sql.tenants.add, name=name)[0]
        except psycopg.errors.UniqueViolation:
            raise OperatorError(f"there is a tenant {name!r} already") from None
        except psycopg.errors.CheckViolation:
            raise OperatorError(
                f"{name!r} is no tenant name: lower-case letters, digits and hyphens, at most 63"
            ) from None

    def add_key(
        self,
        tenant: str,
        scopes: list[str],
        *,
        name: str = "",
        user: str | None = None,
        projects: list[UUID] | None = None,
        rate_limit: int | None = None,
        expires_at: datetime | None = None,
    ) -> str:
        """A new API key's text, which is never shown again. Raises OperatorError."""
        key_id = uuid4()
        text, secret_hash = new_key(key_id)
        with self.as_tenant(tenant):
            user_id = None
            if user is not None:
                found = self.run(sql.users.find, user=user)
                if not found:
                    raise OperatorError(f"tenant {tenant!r} has no user {user!r}")
                user_id = found[0]["id"]
            try:
                self.run(
                    sql.keys.add, id=key_id, secret_hash=secret_hash, name=name, scopes=scopes,
                    user_id=user_id, project_ids=projects, rate_limit=rate_limit,
                    expires_at=expires_at,
                )  # fmt: skip
            except psycopg.errors.CheckViolation as error:
                constraint = error.diag.constraint_name or ""
                known = (
                    "projects:read, projects:write, projects:*, the same of cases, discovery and "
                    "assistant, audit, admin, *"
                )
                raise OperatorError(
                    f"unknown scope; known are {known}" if "scopes" in constraint
                    else f"the key was refused ({constraint})"
                ) from None  # fmt: skip
        return text


@contextmanager
def connect(dsn: str, sql_dir: Path) -> Iterator[Operator]:
    """An Operator on this database. Raises psycopg.OperationalError."""
    with psycopg.connect(dsn, connect_timeout=10, application_name="quarry-operator",
                         autocommit=True) as connection:  # fmt: skip
        yield Operator(connection, load(sql_dir))
