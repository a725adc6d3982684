"""The one PostgreSQL of a test run, and databases in it that cost milliseconds."""

from __future__ import annotations

import fcntl
import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from service.database.embedded import Embedded

APP_ROLE = "quarry_app"
TEMPLATE = "quarry_template"
MIGRATIONS = Path(__file__).parents[2] / "migrations"
# Nothing here outlives the run, so nothing is waited for: never use these anywhere else.
FAST = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "max_connections": "400",
    "shared_buffers": "128MB",
    "autovacuum_naptime": "1h",
}

TEMPLATE_GRANTS = f"""
SELECT string_agg(given.statement, '; ')
  FROM (SELECT format('GRANT %s ON DATABASE {{{{0}}}} TO %s', a.privilege_type,
                      CASE WHEN a.grantee = 0 THEN 'PUBLIC'
                           ELSE quote_ident(pg_get_userbyid(a.grantee)) END)
          FROM pg_database AS d
         CROSS JOIN aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) AS a
         WHERE d.datname = '{TEMPLATE}'
         UNION ALL
        SELECT format('ALTER ROLE %s IN DATABASE {{{{0}}}} SET %s', s.setrole::regrole,
                      regexp_replace(setting, '=', ' = '))
          FROM pg_database AS d
          JOIN pg_db_role_setting AS s ON s.setdatabase = d.oid
         CROSS JOIN unnest(s.setconfig) AS setting
         WHERE d.datname = '{TEMPLATE}') AS given (statement)
"""


class Cluster:
    """The cluster below `folder`, shared by all workers; the first who asks starts it."""

    def __init__(self, folder: Path, worker: str = "main") -> None:
        self.folder = folder
        self.server = Embedded(folder / "cluster", options=FAST)
        self._names = (f"t_{worker}_{number}" for number in itertools.count(1))
        self._admin: psycopg.Connection[Any] | None = None
        self._template_grants: str | None = None

    def start(self) -> None:
        """Start it, or find it running."""
        self.server.start()

    def close(self) -> None:
        """Let go of it; the reaper stops it."""
        if self._admin is not None:
            self._admin.close()

    def admin_dsn(self, database: str = "postgres") -> str:
        """DSN of the superuser."""
        return self.server.dsn(database=database)

    def app_dsn(self, database: str) -> str:
        """DSN of the role that the service runs as."""
        return self.server.dsn(user=APP_ROLE, database=database)

    def create(self, *, migrated: bool) -> Database:
        """A new database: empty, or a copy of the migrated template."""
        name = next(self._names)
        template = self.template() if migrated else "template0"
        self._execute("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy", name, template)
        if migrated:
            self._execute(self._grants(), name)
        return Database(self, name)

    def drop(self, name: str) -> None:
        """Drop a database and whoever is connected to it."""
        self._execute("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)

    def template(self) -> str:
        """The migrated template's name; made once per run, whoever asks first."""
        made = self.folder / "template.made"
        with locked(self.folder / "template.lock"):
            if not made.exists():
                from service.operations import migrations

                self._execute("DROP DATABASE IF EXISTS {}", TEMPLATE)
                self._execute("CREATE DATABASE {}", TEMPLATE)
                migrations.apply(self.admin_dsn(TEMPLATE), MIGRATIONS)
                # The first connection after changes of the schema writes down what each copy's
                # first connection would have to find out again.
                with psycopg.connect(self.admin_dsn(TEMPLATE)) as first:
                    first.execute("SELECT 1")
                self._execute(
                    "ALTER DATABASE {} IS_TEMPLATE true ALLOW_CONNECTIONS false", TEMPLATE
                )
                made.touch()
        return TEMPLATE

    def _grants(self) -> str:
        """Statements that give database `{0}` the template's privileges: a copy has none."""
        if self._template_grants is None:
            row = self._execute(TEMPLATE_GRANTS).fetchone()
            assert row
            self._template_grants = f"REVOKE ALL ON DATABASE {{0}} FROM PUBLIC; {row[0]}"
        return self._template_grants

    def _execute(self, statement: LiteralString, *names: str) -> psycopg.Cursor[Any]:
        if self._admin is None:
            self._admin = psycopg.connect(self.admin_dsn(), autocommit=True)
        return self._admin.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


class Database:
    """One database of the cluster."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self.cluster = cluster
        self.name = name
        self.owner_dsn = cluster.admin_dsn(name)
        self.app_dsn = cluster.app_dsn(name)

    def psql(
        self, statement: str, *params: object, dsn: str | None = None
    ) -> list[tuple[Any, ...]]:
        """Run one statement (`%s` parameters) as superuser, or by another DSN; its rows, if any."""
        with psycopg.connect(dsn or self.owner_dsn) as connection:
            cursor = connection.execute(statement, params or None)
            return cursor.fetchall() if cursor.description else []

    def connections(self) -> int:
        """How many clients are connected to it."""
        return int(
            self.psql(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                "   AND backend_type = 'client backend'"
            )[0][0]
        )


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a file lock between processes."""
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def socket_path(cluster: Cluster) -> str:
    """The unix socket itself, as an upstream of the proxy."""
    return os.fspath(next(cluster.server.socket_dir.glob(".s.PGSQL.*[0-9]")))
