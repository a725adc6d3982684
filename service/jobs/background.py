"""What a process does besides answering: its worker and its candidate for leader, with connections
of their own, so that no long job holds one that a request waits for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from service.database.pool import Pool, PoolOptions
from service.database.session import Engine
from service.jobs.leader import Leader, Periodic
from service.jobs.queue import Kind
from service.jobs.worker import Worker, WorkerOptions
from service.settings import Settings

_KEY = "background"
_IDLE_SECONDS = 60.0
_WAIT_SECONDS = 5.0  # nobody waits for an answer here


class Background:
    """Opened and closed with the process; `drain` as soon as it is told to stop."""

    def __init__(
        self,
        settings: Settings,
        options: PoolOptions,
        front: Engine,
        kinds: Mapping[str, Kind],
        tasks: Callable[[Engine], Sequence[Periodic]],
    ) -> None:
        self._settings = settings
        self._loop = asyncio.get_running_loop()
        self._stop_by: float | None = None
        self.pool = Pool(_apart(options, settings.jobs_concurrency))
        self.engine = Engine(self.pool, front.queries, front.slow)
        self.engine.statistics, self.engine.on_slow = front.statistics, front.on_slow
        self.engine.streams = asyncio.Semaphore(settings.jobs_concurrency)
        self.worker = Worker(
            self.engine, kinds,
            WorkerOptions(
                settings.jobs_concurrency, settings.jobs_poll_seconds,
                settings.jobs_lease_seconds, settings.jobs_backoff_seconds,
            ),
        )  # fmt: skip
        self.leader = Leader(
            settings.database_direct_url or settings.database_url or "", self.engine,
            tasks(self.engine), settings.leader_seconds,
        )  # fmt: skip

    async def start(self) -> None:
        """Begin; connections are opened when they are needed."""
        await self.pool.open()
        self.worker.start()
        self.leader.start()

    def drain(self) -> None:
        """Take no more jobs. What runs has as long as requests in flight have."""
        if self._stop_by is None:
            bound = self._settings.drain_seconds + self._settings.shutdown_seconds
            self._stop_by = self._loop.time() + bound
            self.worker.drain()

    async def stop(self) -> None:
        """End, with what cannot end in time given back to the queue."""
        self.drain()
        assert self._stop_by is not None  # noqa: S101  (drain() set it)
        await self.leader.stop()
        await self.worker.stop(self._stop_by - self._loop.time())
        await self.pool.close(2.0)


def install(process: Any, background: Background) -> None:
    """Let the handlers of a process find its background."""
    process.extras[_KEY] = background


def background_of(process: Any) -> Background | None:
    """The background of a process; None where jobs are switched off."""
    found: Background | None = process.extras.get(_KEY)
    return found


def _apart(options: PoolOptions, concurrency: int) -> PoolOptions:
    """Two connections for each job; one each to claim, to keep leases, and for upkeep."""
    return replace(
        options, init_size=0, min_size=0, max_size=2 * concurrency + 3, wait=_WAIT_SECONDS,
        idle=_IDLE_SECONDS, application_name="quarry-jobs",
    )  # fmt: skip
