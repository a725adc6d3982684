"""Tenants with jobs, workers in this process and in others."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import pytest

from service.database.pool import Pool, PoolOptions
from service.database.session import Engine
from service.jobs.queue import Kind
from service.jobs.worker import Worker, WorkerOptions
from tests.support.cluster import Database
from tests.support.job_worker import TABLES, queries

ROOT = Path(__file__).parents[2]


class Queue:
    """The jobs of a database, seen and asked for as superuser."""

    def __init__(self, database: Database) -> None:
        self.database = database
        database.psql(TABLES)
        self.tenants = [self.tenant(name) for name in ("acme", "globex")]

    def tenant(self, name: str) -> UUID:
        return self.database.psql(  # type: ignore[no-any-return]
            "INSERT INTO core.tenants (name) VALUES (%s) RETURNING id", name
        )[0][0]

    def add(self, kind: str, *, tenant: int = 0, most: int = 5, **args: Any) -> UUID:
        """A job that is due."""
        return self.database.psql(  # type: ignore[no-any-return]
            "INSERT INTO ops.jobs (tenant_id, kind, args, max_attempts, actor, user_id, request_id)"
            " VALUES (%s, %s, %s, %s, 'key:test', %s, 'r-1') RETURNING id",
            self.tenants[tenant], kind, orjson.dumps(args).decode(), most, UUID(int=7),
        )[0][0]  # fmt: skip

    def job(self, job_id: UUID) -> dict[str, Any]:
        """A job's row."""
        return self.database.psql("SELECT to_jsonb(j) FROM ops.jobs AS j WHERE id = %s", job_id)[0][
            0
        ]  # type: ignore[no-any-return]

    def states(self) -> dict[str, int]:
        """How many jobs are in which state."""
        return dict(self.database.psql("SELECT state, count(*) FROM ops.jobs GROUP BY state"))  # type: ignore[arg-type]

    def ran(self) -> list[tuple[Any, ...]]:
        """The marks: job, attempt, word, pid."""
        return self.database.psql("SELECT job, attempt, word, pid FROM public.ran ORDER BY 1, 2")


@pytest.fixture
def queue(database: Database) -> Queue:
    return Queue(database)


@asynccontextmanager
async def working(
    database: Database,
    kinds: Mapping[str, Kind],
    *,
    stop: float = 5.0,
    isolation: str = "auto",
    **options: Any,
) -> AsyncIterator[Worker]:
    """A worker in this process."""
    pool = Pool(PoolOptions(database.app_dsn, 0, 0, 10, isolation=isolation))
    await pool.open()
    chosen = {"poll": 0.1, "lease": 10.0, "backoff": 0.05} | options
    worker = Worker(Engine(pool, queries()), kinds, WorkerOptions(**chosen))
    worker.start()
    try:
        yield worker
        await worker.stop(stop)
    finally:
        await pool.close(1)


async def until(true: Callable[[], object], seconds: float = 10.0) -> None:
    """Wait without blocking the loop."""
    async with asyncio.timeout(seconds):
        while not await asyncio.to_thread(true):  # noqa: ASYNC110  (nobody sets an event)
            await asyncio.sleep(0.02)


class Process:
    """A worker process."""

    def __init__(self, database: Database, folder: Path, **settings: object) -> None:
        defaults: dict[str, object] = {
            "database_url": database.app_dsn, "env_file": folder / "no.env",
            "data_dir": folder / "data", "jobs_poll_seconds": 0.1, "jobs_lease_seconds": 1.0,
            "jobs_backoff_seconds": 0.05, "leader_seconds": 0.2,
        }  # fmt: skip
        tick = settings.pop("tick", None)
        environment = {n: v for n, v in os.environ.items() if not n.startswith("QUARRY_")} | {
            f"QUARRY_{name.upper()}": str(value) for name, value in (defaults | settings).items()
        }
        if tick is not None:
            environment["TICK"] = str(tick)
        self._log = (folder / f"worker-{id(self)}.log").open("wb")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.job_worker"], cwd=ROOT, env=environment,
            stdout=subprocess.PIPE, stderr=self._log, start_new_session=True,
        )  # fmt: skip
        assert self.process.stdout is not None
        assert self.process.stdout.readline().startswith(b"works"), Path(self._log.name).read_text()

    def end(self, number: int = signal.SIGKILL, seconds: float = 20.0) -> int:
        """Send a signal and wait; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(seconds)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self._log.close()
        return code


Workers = Callable[..., Process]


@pytest.fixture
def workers(queue: Queue, tmp_path: Path) -> Iterator[Workers]:
    """Starts worker processes: `workers(jobs_concurrency=4)`; killed when the test ends."""
    started: list[Process] = []

    def start(**settings: object) -> Process:
        started.append(Process(queue.database, tmp_path, **settings))
        return started[-1]

    yield start
    for each in started:
        each.end()
