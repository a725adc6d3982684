"""Takes jobs, keeps their leases while they run, and settles how they end.

A claim is good for `lease` seconds and is extended at each third of it. A worker that was killed is
taken over when the lease has run out; one that hung that long finds its claim gone, cancels what it
does and can store nothing. A worker that stops gives back at once what it could not end.
"""

from __future__ import annotations

import asyncio
import os
import random
import socket
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import structlog
from asyncpg.pgproto.pgproto import UUID

from service.database.errors import Failure
from service.database.session import Engine, Identity, Session
from service.database.tree import sql
from service.jobs.queue import Attempt, GiveUp, Kind, LeaseLost, NotYet
from service.logs import frames

log = structlog.get_logger("quarry.jobs")

CHANNEL = "quarry_jobs"
ROLE = "quarry_worker"
_EVERYBODY = Identity(UUID(bytes(16)), "worker", role=ROLE)
_LONGEST_PAUSE = 900.0  # seconds between two attempts
_BURIALS = 3  # attempts at giving a job up properly
_CLAIM_SECONDS = 10.0
_STORE_SECONDS = 10.0


def process_name() -> str:
    """host:pid, by which operators find the process."""
    return f"{socket.gethostname()}:{os.getpid()}"


def across_tenants(engine: Engine, timeout: float) -> Session:
    """A unit of work that sees the jobs of all tenants, and nothing else."""
    return engine.session(_EVERYBODY, "", timeout)


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """How a worker works; times in seconds."""

    concurrency: int = 2
    poll: float = 5.0
    lease: float = 30.0
    backoff: float = 5.0  # the first pause; each further one is twice as long


@dataclass(slots=True, eq=False)
class _Running:
    """An attempt, the task that makes it, and until when the lease is surely ours."""

    attempt: Attempt
    sure_until: float
    task: asyncio.Task[None] | None = None
    lost: bool = False

    def lose(self) -> None:
        """Stop it, unless its end is being stored, which the claim guards by itself."""
        if self.task is not None and not self.attempt.settling:
            self.lost = True
            self.task.cancel()


@dataclass(slots=True, eq=False)
class Worker:
    """The worker of a process. `kinds` are what it can do; others it leaves to others."""

    engine: Engine
    kinds: Mapping[str, Kind]
    options: WorkerOptions = field(default_factory=WorkerOptions)
    runs: Counter[tuple[str, str]] = field(default_factory=Counter)  # (kind, outcome) → how often
    name: str = field(default_factory=process_name)
    _running: dict[UUID, _Running] = field(default_factory=dict)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _draining: bool = False
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    @property
    def busy(self) -> int:
        """How many jobs run now."""
        return len(self._running)

    def start(self) -> None:
        """Work in the background until `stop`."""
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._work()), loop.create_task(self._keep_leases())]

    def wake(self, _payload: str = "") -> None:
        """Look for jobs now."""
        self._wake.set()

    def drain(self) -> None:
        """Claim no more; what runs goes on."""
        self._draining = True
        self._wake.set()

    async def stop(self, seconds: float) -> None:
        """Let what runs end within so many seconds, then give the rest back to the queue."""
        self.drain()
        if not self._tasks:
            return
        work, leases = self._tasks
        await asyncio.gather(work, return_exceptions=True)  # no claim is on its way any more
        running = list(self._running.values())
        tasks = [run.task for run in running if run.task is not None]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=max(0.0, seconds))
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        leases.cancel()
        await asyncio.gather(leases, return_exceptions=True)
        await self._release([run.attempt.claim for run in running])

    # taking

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        look_for_lost = 0.0
        while not self._draining:
            self._wake.clear()
            taken = 0
            try:
                if loop.time() >= look_for_lost:
                    await across_tenants(self.engine, _CLAIM_SECONDS).execute(sql.jobs.expire)
                    look_for_lost = loop.time() + self.options.poll
                taken = await self._take()
            except Failure as failure:
                log.warning("jobs.cannot_claim", kind=failure.kind.value)
            except Exception as error:  # a worker that gave up would leave the queue standing
                log.error("jobs.claim_failed", error=type(error).__name__, where=frames(error))
            if not taken:
                await self._pause()

    async def _take(self) -> int:
        """Claim as many as there is room for, and begin them; how many."""
        free = self.options.concurrency - len(self._running)
        if free <= 0:
            return 0
        began = asyncio.get_running_loop().time()
        rows = await across_tenants(self.engine, _CLAIM_SECONDS).fetch(
            sql.jobs.claim, kinds=list(self.kinds), slots=free, worker=self.name,
            lease=self.options.lease,
        )  # fmt: skip
        if self._draining:
            await self._release([row["claim"] for row in rows])
            return 0
        for row in rows:
            self._begin(Attempt.of(self.engine, row), began + self.options.lease)
        return len(rows)

    async def _pause(self) -> None:
        """Until something may be due: told, by the clock, or because there is room again."""
        try:
            async with asyncio.timeout(self.options.poll * random.uniform(0.8, 1.2)):  # noqa: S311
                await self._wake.wait()
        except TimeoutError:
            pass

    def _begin(self, attempt: Attempt, sure_until: float) -> None:
        run = self._running[attempt.claim] = _Running(attempt, sure_until)
        run.task = asyncio.get_running_loop().create_task(self._attempt(run))

    # doing

    async def _attempt(self, run: _Running) -> None:
        """One attempt from beginning to end; whatever happens, it is counted and let go of."""
        attempt = run.attempt
        outcome = "released"
        try:
            outcome = await self._make(attempt)
        except LeaseLost:
            outcome = "lost"
        except asyncio.CancelledError:
            if not run.lost:
                raise
            outcome = "lost"
        except Exception as error:  # not even its end could be stored: the lease will run out
            outcome = "unsettled"
            log.error("job.unsettled", job=str(attempt.job_id), kind=attempt.kind,
                      error=type(error).__name__, where=frames(error))  # fmt: skip
        finally:
            self._running.pop(attempt.claim, None)
            self.runs[attempt.kind, outcome] += 1
            log.info("job.ended", job=str(attempt.job_id), kind=attempt.kind, outcome=outcome,
                     attempt=attempt.number, request_id=attempt.request_id)  # fmt: skip
            self._wake.set()

    async def _make(self, attempt: Attempt) -> str:
        """Do it; how it ended. Raises LeaseLost, and what keeps its end from being stored."""
        kind = self.kinds[attempt.kind]
        attempt.deadline = asyncio.get_running_loop().time() + kind.timeout
        try:
            async with asyncio.timeout(kind.timeout):
                await _run(kind, attempt)
        except LeaseLost:
            raise
        except GiveUp as reason:
            return await self._give_up(attempt, kind, str(reason))
        except NotYet as reason:
            return await self._put_back(attempt, self.options.backoff, str(reason), counts=False)
        except Exception as error:
            reason_text = _reason(error, kind)
            log.warning("job.failed", job=str(attempt.job_id), kind=attempt.kind,
                        attempt=attempt.number, error=reason_text, where=frames(error))  # fmt: skip
            if attempt.number >= attempt.most:
                return await self._give_up(attempt, kind, reason_text)
            return await self._later(attempt, reason_text)
        return "succeeded"

    async def _later(self, attempt: Attempt, reason: str) -> str:
        pause = min(_LONGEST_PAUSE, self.options.backoff * 2.0 ** min(attempt.number - 1, 16))
        pause *= random.uniform(0.5, 1.5)  # noqa: S311
        return await self._put_back(attempt, pause, reason, counts=True)

    async def _put_back(self, attempt: Attempt, pause: float, reason: str, *, counts: bool) -> str:
        await attempt.postpone(pause, reason, counts=counts)
        asyncio.get_running_loop().call_later(pause, self._wake.set)
        return "retried" if counts else "waits"

    async def _give_up(self, attempt: Attempt, kind: Kind, reason: str) -> str:
        """Dead, and whoever waits for it told so, in one transaction."""
        try:
            db = attempt.session(_STORE_SECONDS)
            async with db.transaction():
                if kind.bury is not None and attempt.number <= attempt.most + _BURIALS:
                    await kind.bury(attempt, db, reason)
                await attempt.end(db, "dead", reason)
        except (LeaseLost, asyncio.CancelledError):
            raise
        except Exception as error:
            log.error("job.not_buried", job=str(attempt.job_id), kind=attempt.kind,
                      error=_reason(error, kind), where=frames(error))  # fmt: skip
            return await self._later(attempt, reason)
        log.error("job.dead", job=str(attempt.job_id), kind=attempt.kind, reason=reason,
                  attempts=attempt.number)  # fmt: skip
        return "dead"

    # keeping

    async def _keep_leases(self) -> None:
        while True:
            await asyncio.sleep(self.options.lease / 3)
            if self._running:
                await self._beat()

    async def _beat(self) -> None:
        """Extend the leases; stop what is no longer ours, or may be no longer."""
        loop = asyncio.get_running_loop()
        held, began = list(self._running.values()), loop.time()
        try:
            rows = await across_tenants(self.engine, self.options.lease / 3).fetch(
                sql.jobs.beat, claims=[r.attempt.claim for r in held], lease=self.options.lease
            )
        except Exception as error:
            log.warning("jobs.no_heartbeat", error=type(error).__name__)
            alive: set[UUID] = set()
        else:
            alive = {row["claim"] for row in rows}
            for run in held:
                run.sure_until = began + self.options.lease if run.attempt.claim in alive else 0.0
        for run in held:
            if run.sure_until <= loop.time() and run.attempt.claim in self._running:
                run.lose()

    async def _release(self, claims: list[UUID]) -> None:
        if not claims:
            return
        try:
            released = await across_tenants(self.engine, _CLAIM_SECONDS).execute(
                sql.jobs.release, claims=claims
            )
        except Exception as error:  # their leases will run out
            log.warning("jobs.not_released", jobs=len(claims), error=type(error).__name__)
        else:
            log.info("jobs.released", jobs=released)


async def _run(kind: Kind, attempt: Attempt) -> None:
    if attempt.number > attempt.most:  # the last one ended with its process
        raise GiveUp(attempt.last_error or "it was tried too often")
    await kind.run(attempt)
    if not attempt.settling:
        await attempt.finish(attempt.session(_STORE_SECONDS))


def _reason(error: Exception, kind: Kind) -> str:
    """An error in words that hold nothing of what was worked on."""
    if isinstance(error, Failure):
        return f"the database said no: {error.kind.value} {error.constraint}".strip()
    if isinstance(error, TimeoutError):
        return f"it took longer than {kind.timeout:g} s"
    if isinstance(error, OSError) and error.strerror:
        return f"{type(error).__name__}: {error.strerror}"
    return type(error).__name__
