"""The server of the reference data: an embedded PostgreSQL of its own that is kept between runs.

It is fast because it need not be safe: whatever happens to it can be generated again.
"""

from __future__ import annotations

import fcntl
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import orjson
import psycopg
from psycopg import sql

from service.operations import migrations
from service.operations.reference import data
from service.operations.reference.load import GENERATOR, Progress, load

if TYPE_CHECKING:
    from service.database.embedded import Embedded

__all__ = ["DOCUMENTS", "TENANTS", "Reference", "running", "scale"]

DOCUMENTS: Final = 1_000_000
TENANTS: Final = 100
OPTIONS: Final = {
    "fsync": "off", "full_page_writes": "off", "synchronous_commit": "off",
    "wal_level": "minimal", "max_wal_senders": "0", "max_wal_size": "16GB",
    "maintenance_work_mem": "256MB", "autovacuum": "off",
}  # fmt: skip
_APP: Final = "quarry_app"


class Reference(NamedTuple):
    """The filled database: how to reach it, and tenants to measure by (title → id)."""

    service: str  # DSN of the service's role
    owner: str  # DSN of the superuser
    tenants: dict[str, str]


def scale(documents: int = DOCUMENTS) -> data.Scale:
    """About so many documents, of tenants as unequal as real ones are."""
    projects = max(TENANTS, documents // len(data.VERSIONS))
    return data.Scale(f"reference_{projects}", projects, TENANTS, skewed=True, sentences=1)


@contextmanager
def running(
    server: Embedded,
    of: data.Scale,
    migrations_dir: Path,
    progress: Progress,
    *,
    fresh: bool = False,
) -> Iterator[Reference]:
    """The reference data on this server, made now if it is not there or not of this schema.

    Waits while another process uses it. Raises EmbeddedError, psycopg.Error, MigrationError.
    """
    server.root.mkdir(parents=True, exist_ok=True)
    with (server.root / "in-use.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        server.start()
        try:
            _fill(server, of, migrations_dir, progress, fresh=fresh)
            sample = {"largest tenant": 0, "middle tenant": of.tenants // 2}
            yield Reference(
                server.dsn(_APP, of.name), server.dsn(database=of.name),
                {title: data.identifier(data.TENANT, n) for title, n in sample.items()},
            )  # fmt: skip
        finally:
            server.stop()


def _fill(
    server: Embedded, of: data.Scale, migrations_dir: Path, progress: Progress, *, fresh: bool
) -> None:
    """Make the database anew unless it is what is wanted; else sweep up after earlier runs."""
    ready = server.root / f"{of.name}.json"
    wanted = {"generator": GENERATOR, "schema": _schema(migrations_dir), **asdict(of)}
    found = orjson.loads(ready.read_bytes()) if ready.exists() else None
    owner = server.dsn(database=of.name)
    if found == wanted and not fresh:
        with psycopg.connect(owner, autocommit=True) as connection:
            connection.execute("VACUUM")  # what was written and rolled back
        return
    ready.unlink(missing_ok=True)
    name = sql.Identifier(of.name)
    with psycopg.connect(server.dsn(database="postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} (FORCE)").format(name))
        connection.execute(sql.SQL("CREATE DATABASE {}").format(name))
    migrations.apply(owner, migrations_dir)
    load(owner, of, progress)
    ready.write_bytes(orjson.dumps(wanted))


def _schema(migrations_dir: Path) -> str:
    """What changes when a migration does."""
    digest = hashlib.sha256()
    for path in sorted(migrations_dir.glob("*.sql")):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()
