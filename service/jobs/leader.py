"""One leader over all processes: who holds an advisory lock does what is done from time to time.

The lock belongs to a session on the direct connection, past any pooler, so it ends when the leader
ends, however it ends. A leader whose connection is gone notices within two seconds and stops what
it does; meanwhile another one may have begun, so a periodic task must bear being run twice at once.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import structlog
from asyncpg.pgproto.pgproto import UUID

from service.database.session import Engine, Identity, Session
from service.database.tree import sql
from service.jobs.worker import process_name
from service.logs import frames

log = structlog.get_logger("quarry.leader")

_LEAD = Path(__file__).with_name("lead.sql").read_text()
_ASK_EVERY, _ANSWER_WITHIN = 1.0, 1.0  # seconds: together, how long a dead link goes unnoticed
_AGAIN = 10.0  # seconds until a task that could not even be noted is tried again
_NOTE_SECONDS = 10.0
# The server frees the lock of a leader that vanished without a word.
_KEEPALIVES = {
    "tcp_keepalives_idle": "10", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "3",
}  # fmt: skip
_UPKEEP = Identity(UUID(bytes(16)), "upkeep")


def upkeep(engine: Engine, timeout: float) -> Session:
    """A unit of work for no tenant, as `upkeep`."""
    return engine.session(_UPKEEP, "", timeout)


@dataclass(frozen=True, slots=True)
class Periodic:
    """A task that one process does every so many seconds; it answers what it did, by name."""

    name: str
    every: float
    run: Callable[[], Awaitable[Mapping[str, int]]]


class Leader:
    """Leads, or waits for its turn."""

    def __init__(
        self, dsn: str, engine: Engine, tasks: Sequence[Periodic], try_every: float = 5.0
    ) -> None:
        self._dsn = dsn
        self._engine = engine
        self._tasks = tasks
        self._try_every = try_every
        self._name = process_name()
        self._running: asyncio.Task[None] | None = None
        self.leading = False

    def start(self) -> None:
        """Stand for election in the background until `stop`."""
        self._running = asyncio.get_running_loop().create_task(self._stand())

    async def stop(self) -> None:
        """Stop, and free the lock for another process."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    async def _stand(self) -> None:
        # Not in the first moment of a process, nor all at once that were started at once.
        await asyncio.sleep(self._try_every * random.uniform(0.1, 1.0))  # noqa: S311
        while True:
            try:
                await self._lead()
            except Exception as error:  # whatever it is: without a leader there is no upkeep
                log.warning("leader.lost", reason=type(error).__name__)
            await asyncio.sleep(self._try_every * random.uniform(0.8, 1.2))  # noqa: S311

    async def _lead(self) -> None:
        """Lead until the connection is lost; return at once when another process leads."""
        connection = await asyncpg.connect(
            self._dsn, timeout=5, command_timeout=_ANSWER_WITHIN,
            server_settings={"application_name": "quarry-leader", **_KEEPALIVES},
        )  # fmt: skip
        try:
            if not await connection.fetchval(_LEAD):
                return
            log.info("leader.leads", process=self._name)
            self.leading = True
            house = asyncio.get_running_loop().create_task(self._keep_house())
            try:
                while not house.done():
                    await asyncio.wait([house], timeout=_ASK_EVERY)
                    await connection.fetch("")  # raises when nobody is there any more
                house.result()
            finally:
                self.leading = False
                house.cancel()
                await asyncio.gather(house, return_exceptions=True)
        finally:
            connection.terminate()

    async def _keep_house(self) -> None:
        """Run what is due, one task after the other, for as long as we lead."""
        loop = asyncio.get_running_loop()
        rows = await upkeep(self._engine, _NOTE_SECONDS).fetch(sql.maintenance.last)
        ages = {row["task"]: row["age"] for row in rows}
        now = loop.time()
        due = {t.name: now + max(0.0, t.every - ages.get(t.name, t.every)) for t in self._tasks}
        while self._tasks:
            task = min(self._tasks, key=lambda t: due[t.name])
            await asyncio.sleep(due[task.name] - loop.time())
            noted = await self._run(task)
            due[task.name] = loop.time() + (task.every if noted else min(task.every, _AGAIN))

    async def _run(self, task: Periodic) -> bool:
        """Run a task and record how it went; whether that could be recorded."""
        outcome, problem = "succeeded", None
        counts: Mapping[str, int] = {}
        try:
            run_id = await upkeep(self._engine, _NOTE_SECONDS).value(
                sql.maintenance.begin, task=task.name, run_by=self._name
            )
            try:
                counts = await task.run()
            except Exception as error:
                outcome, problem = "failed", type(error).__name__
                log.error("upkeep.failed", task=task.name, error=problem, where=frames(error))
            await upkeep(self._engine, _NOTE_SECONDS).execute(
                sql.maintenance.end,
                run_id=run_id,
                outcome=outcome,
                counts=dict(counts),
                error=problem,
            )
        except Exception as error:
            log.warning("upkeep.not_recorded", task=task.name, error=type(error).__name__)
            return False
        return True
