"""The PostgreSQL of the benchmark: the embedded server with its shipped, durable settings.

Everybody reaches it over loopback TCP. The data folder is kept, and the next run finds it.
"""

from __future__ import annotations

import contextlib
import fcntl
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import psycopg

from bench.plan import SEED, BenchError, Scale
from service.database.embedded import Embedded
from service.operations import migrations
from service.operations.operator import connect as operator
from service.operations.reference import data
from service.operations.reference.load import GENERATOR, Progress, load
from service.settings import Settings

APP, BYPASS = "quarry_app", "quarry_bench"  # under row-level security, and past it
PASSWORD = "bench"
_SETTINGS = Settings()
_READY = "{}.json"  # written when a database is complete: what is in it, and its keys


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True, slots=True)
class Database:
    """One database of the server, filled, with the API keys of its tenants in their order."""

    server: Server
    name: str
    scale: Scale
    keys: list[str]

    def dsn(self, role: str) -> str:
        """How a contestant connects."""
        return self.server.dsn(role, self.name)

    @contextlib.contextmanager
    def admin(self) -> Iterator[psycopg.Connection[Any]]:
        """A superuser's connection in autocommit, whose writes no trigger sees."""
        dsn = self.server.embedded.dsn(database=self.name)
        with psycopg.connect(dsn, autocommit=True) as found:
            found.execute("SET session_replication_role = replica")
            yield found

    def restore(self, table: str = "") -> None:
        """Take away what a run has written, to one table or, whatever happened, to all."""
        with self.admin() as connection:
            for name, statements in _RESTORE.items():
                if table in ("", name):
                    for statement in statements:
                        connection.execute(statement)
            if not table:
                connection.execute(_EVERY_DOCUMENT)
            connection.execute("TRUNCATE audit.events")

    def run_agents(self) -> None:
        """Executions of the last month, anew in each run: the metrics look back from now."""
        with self.admin() as connection:
            connection.execute("TRUNCATE workspace.agent_executions, core.topic_events")
            connection.execute(_EXECUTIONS, [min(self.scale.tenants, self.scale.projects)])
            connection.execute("VACUUM (ANALYZE) workspace.agent_executions")

    def settle(self, seconds: float = 10.0) -> None:
        """Wait until nobody works: what a load left under way has ended. Raises BenchError.

        A contestant that waits for its turn looks idle for a moment, hence several looks.
        """
        deadline = time.monotonic() + seconds
        idle = 0
        with self.admin() as connection:
            while idle < 6:
                idle = idle + 1 if connection.execute(_BUSY).fetchone() is None else 0
                if time.monotonic() > deadline:
                    raise BenchError("statements still run long after their load has ended")
                time.sleep(0.025)

    def events(self, table: str) -> int:
        """How many changes of a table the audit trail holds."""
        with self.admin() as connection:
            row = connection.execute(_EVENTS, [table]).fetchone()
        return int(row[0]) if row else 0

    def checkpoint(self) -> None:
        """Write out what is dirty, so that the next measurement does not pay for the last one."""
        with self.admin() as connection:
            connection.execute("CHECKPOINT")


# 250 in the first project of each tenant, two every hour and a half; nine of ten have ended.
_EXECUTIONS = f"""
    INSERT INTO workspace.agent_executions
           (tenant_id, id, project_id, agent_type, correlation_id, status, started_at, heartbeat_at,
            completed_at, created_at)
    SELECT ('{data.prefix(data.TENANT)}' || {data.FIRST} + p.n)::uuid,
           ('{data.prefix(data.EXECUTION)}' || {data.FIRST} + p.n * 250 + e.n)::uuid,
           ('{data.prefix(data.PROJECT)}' || {data.FIRST} + p.n)::uuid,
           (ARRAY['writer', 'critic', 'researcher', 'translator'])[1 + e.n %% 4], 'run-' || e.n / 4,
           t.status, t.at, t.at,
           CASE WHEN t.status <> 'running' THEN t.at + make_interval(secs => 1 + e.n * 7 %% 60) END,
           t.at
      FROM generate_series(0, %s - 1) AS p (n)
     CROSS JOIN generate_series(0, 249) AS e (n)
     CROSS JOIN LATERAL (
            SELECT now() - make_interval(hours => 6, mins => e.n * 160) AS at,
                   (ARRAY['running', 'failed', 'completed', 'completed', 'completed',
                          'completed', 'completed', 'completed', 'cancelled', 'completed']
                   )[1 + e.n %% 10] AS status
           ) AS t
     ORDER BY 2"""
_EVENTS = "SELECT count(*) FROM audit.events WHERE table_name = %s"
_BUSY = """SELECT 1 FROM pg_stat_activity
            WHERE state <> 'idle' AND backend_type = 'client backend' AND pid <> pg_backend_pid()"""
_EVERY_DOCUMENT = f"DELETE FROM workspace.document_versions WHERE id >= '{data.FENCE}'"
# The ids of documents are found by their audit events: no index leads to them by age.
_RESTORE = {
    "workspace.document_versions": (
        f"""DELETE FROM workspace.document_versions AS d USING audit.events AS e
             WHERE e.table_name = 'workspace.document_versions' AND e.action = 'insert'
               AND d.tenant_id = e.tenant_id AND d.id = e.row_id AND d.id >= '{data.FENCE}'""",
        """UPDATE workspace.document_counters SET last_version = 3
            WHERE document_type = 'brief' AND last_version > 3""",
        "VACUUM (ANALYZE) workspace.document_counters, workspace.document_versions",
    ),
    "workspace.projects": (
        f"DELETE FROM workspace.project_members WHERE id >= '{data.FENCE}'",
        f"DELETE FROM workspace.projects WHERE id >= '{data.FENCE}'",
        """UPDATE workspace.projects SET version = 1, updated_at = created_at
            WHERE version <> 1""",
        "VACUUM (ANALYZE) workspace.projects, workspace.project_members",
    ),
}


class Server:
    """The server below `folder`, ours alone while `running()`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.embedded = Embedded(folder, self.port)

    def dsn(self, role: str, database: str) -> str:
        """URL over loopback TCP."""
        return f"postgresql://{role}:{PASSWORD}@127.0.0.1:{self.port}/{database}"

    @property
    def pid(self) -> int:
        """The postmaster."""
        pid = self.embedded.pid
        if pid is None:
            raise BenchError("PostgreSQL has ended; its log is in the data folder")
        return pid

    @contextlib.contextmanager
    def running(self) -> Iterator[Server]:
        """Start it, and stop it at the end. Raises BenchError when another run has the folder."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "bench.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise BenchError(f"another run uses {self.folder}: give --data") from None
            self.embedded.stop()  # a killed run may have left it, on another port
            self.embedded.start()
            try:
                yield self
            finally:
                self.embedded.stop()

    def database(self, name: str, scale: Scale, progress: Progress) -> Database:
        """The database, filled now if it is not yet, and without what an earlier run wrote."""
        ready = self.folder / _READY.format(name)
        wanted = {
            "generator": GENERATOR, "seed": SEED, "head": migrations.head(_SETTINGS.migrations_dir),
            "projects": scale.projects, "tenants": scale.tenants, "documents": scale.documents,
        }  # fmt: skip
        found = orjson.loads(ready.read_bytes()) if ready.exists() else {}
        if {name: found.get(name) for name in wanted} != wanted:
            ready.unlink(missing_ok=True)
            found = wanted | {"keys": self._fill(name, scale, progress)}
            ready.touch(mode=0o600)
            ready.write_bytes(orjson.dumps(found))
        database = Database(self, name, scale, found["keys"])
        database.restore()
        database.run_agents()
        return database

    def _fill(self, name: str, scale: Scale, progress: Progress) -> list[str]:
        """Make the database anew; the keys of its tenants."""
        with psycopg.connect(self.embedded.dsn(database="postgres"), autocommit=True) as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {name} (FORCE)")
            connection.execute(f"CREATE DATABASE {name}")
        owner = self.embedded.dsn(database=name)
        migrations.apply(owner, _SETTINGS.migrations_dir)
        with psycopg.connect(owner, autocommit=True) as connection:
            connection.execute(_ROLES)
        load(owner, scale, progress)
        with operator(owner, _SETTINGS.sql_dir) as admin:
            return [
                admin.add_key(data.tenant_name(number), ["*"], name="bench")
                for number in range(scale.tenants)
            ]


# The role that is past row-level security has the service's rights and settings otherwise.
_ROLES = f"""
DO $$
DECLARE
    setting text;
BEGIN
    IF to_regrole('{BYPASS}') IS NULL THEN
        CREATE ROLE {BYPASS} LOGIN BYPASSRLS IN ROLE {APP};
    END IF;
    ALTER ROLE {APP} PASSWORD '{PASSWORD}';
    ALTER ROLE {BYPASS} PASSWORD '{PASSWORD}';
    FOR setting IN
        SELECT unnest(r.setconfig) FROM pg_db_role_setting AS r
         WHERE r.setrole = '{APP}'::regrole
           AND r.setdatabase IN (0, (SELECT d.oid FROM pg_database AS d
                                      WHERE d.datname = current_database()))
    LOOP
        EXECUTE format(CASE WHEN setting LIKE 'search_path=%' THEN 'ALTER ROLE {BYPASS} SET %s = %s'
                            ELSE 'ALTER ROLE {BYPASS} SET %s = %L' END,
                       split_part(setting, '=', 1), substr(setting, strpos(setting, '=') + 1));
    END LOOP;
END
$$
"""
