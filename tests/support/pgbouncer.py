"""A real PgBouncer in transaction mode in front of a test database."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import psycopg
from psycopg.rows import dict_row

from service.database.unprivileged import command, user_for
from tests.support.cluster import APP_ROLE, Database
from tests.support.server import free_ports
from tests.support.wait import wait_until

PREPARES = (1, 21)  # the first version that keeps prepared statements, and knows the setting
SERVERS = 3  # connections to PostgreSQL; each transaction gets the next one of them


def program() -> str:
    """PgBouncer on the PATH or beside this Python; "" where there is none."""
    places = [str(Path(sys.executable).parent), os.environ["PATH"], "/usr/local/bin", "/usr/sbin"]
    return shutil.which("pgbouncer", path=":".join(places)) or ""


def version() -> tuple[int, int]:
    """Its version, such as (1, 24); (0, 0) where there is none."""
    if not program():
        return 0, 0
    said = subprocess.run([program(), "--version"], capture_output=True, text=True, check=True)
    numbers = re.search(r"(\d+)\.(\d+)", said.stdout)
    assert numbers, said.stdout
    return int(numbers[1]), int(numbers[2])


class PgBouncer:
    """PgBouncer on a free port, `prepared`: with prepared statements, which needs 1.21."""

    def __init__(self, database: Database, *, prepared: bool) -> None:
        self.prepared = prepared
        self.port = free_ports(1)[0]
        self.dsn = f"postgresql://{APP_ROLE}@127.0.0.1:{self.port}/{database.name}"
        self._cluster = database.cluster
        self._folder = database.cluster.folder / f"pgbouncer-{self.port}"
        self._folder.mkdir()
        (self._folder / "users.txt").write_text(f'"{APP_ROLE}" ""\n')
        self._config = self._folder / "pgbouncer.ini"
        self._config.write_text(
            f"""[databases]
{database.name} = host={database.cluster.server.socket_dir} port=5432

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {self.port}
unix_socket_dir =
auth_type = trust
auth_file = {self._folder / "users.txt"}
admin_users = {APP_ROLE}
pool_mode = transaction
default_pool_size = {SERVERS}
min_pool_size = {SERVERS}
server_round_robin = 1
{f"max_prepared_statements = {300 if prepared else 0}" if version() >= PREPARES else ""}
"""
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        user = user_for(self._cluster.server.cluster)
        run = command(user, (self._config, Path(program())), program(), str(self._config))
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(stdout=log, stderr=log, **run)
        wait_until(self._answers)

    def stop(self) -> None:
        """End it at once."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(10)

    def show(self, what: str) -> list[dict[str, object]]:
        """What its console says of `servers`, `clients`, `stats` …"""
        dsn = self.dsn.rpartition("/")[0] + "/pgbouncer"
        with psycopg.connect(dsn, autocommit=True, row_factory=dict_row) as console:
            return console.execute(f"SHOW {what}".encode()).fetchall()

    def _answers(self) -> bool:
        assert self._process is not None
        if (code := self._process.poll()) is not None:
            raise AssertionError(f"it ended with {code}: {(self._folder / 'log').read_text()}")
        try:
            return bool(self.show("version"))
        except psycopg.OperationalError:
            return False
