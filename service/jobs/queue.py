"""A kind of job, and an attempt at one: what code that does the work is given.

A job is asked for by `enqueue` (or by an INSERT of the same within a statement) in the transaction
of the row that it is about. Its code may run more than once: a process can be killed at any moment,
and another one takes over. So its last step is one transaction that stores the result and calls
`Attempt.finish`,
which fails when the attempt is no longer ours.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from asyncpg.pgproto.pgproto import UUID

from service.database.session import Engine, Identity, Session
from service.database.tree import sql

PROGRESS_SECONDS = 0.5  # between two notes of progress


class GiveUp(Exception):
    """Another attempt would not help. The message is kept with the job: no data of the tenant."""


class NotYet(Exception):
    """Somebody else has to end first. It is looked at again soon, and no attempt is lost by it."""


class LeaseLost(Exception):
    """The attempt was taken over or cancelled; nothing of it may be stored any more."""


@dataclass(frozen=True, slots=True)
class Kind:
    """How jobs of a kind are done.

    `run` does one, and may raise GiveUp or NotYet; any other exception means a later attempt.
    `bury` is called in the transaction that gives a job up, with the reason, so that who waits
    for it learns of it. `timeout` bounds one attempt, in seconds.
    """

    run: Callable[[Attempt], Awaitable[None]]
    bury: Callable[[Attempt, Session, str], Awaitable[None]] | None = None
    timeout: float = 3600.0


async def enqueue(
    db: Session,
    kind: str,
    *,
    job_id: UUID | None = None,
    args: Mapping[str, Any] | None = None,
    max_attempts: int | None = None,
) -> UUID:
    """Ask for a job in the session's transaction; its id, by default a new one.

    `args` are ids and switches, never contents. Raises Failure.
    """
    made: UUID = await db.value(
        sql.jobs.enqueue, kind=kind, id=job_id, args=args, max_attempts=max_attempts
    )
    return made


@dataclass(slots=True, eq=False)
class Attempt:
    """One claimed job. Its sessions are bound to its tenant; the audit trail names its kind and
    the user and request that asked for it."""

    engine: Engine
    kind: str
    tenant_id: UUID
    job_id: UUID
    claim: UUID
    args: Mapping[str, Any]
    number: int  # of this attempt, from 1
    most: int  # attempts in all
    last_error: str
    user_id: str
    request_id: str
    deadline: float = 0.0  # on the loop's clock
    settling: bool = False  # its end is being stored
    _noted: float = field(default=0.0, init=False)

    @classmethod
    def of(cls, engine: Engine, row: Mapping[str, Any]) -> Attempt:
        """The attempt that a row of `jobs.claim` begins."""
        return cls(
            engine, row["kind"], row["tenant_id"], row["id"], row["claim"], row["args"],
            row["attempts"], row["max_attempts"], row["last_error"] or "",
            str(row["user_id"] or ""), row["request_id"] or "",
        )  # fmt: skip

    def session(self, timeout: float | None = None) -> Session:
        """A unit of work for the job's tenant, of so many seconds or what the attempt has left."""
        identity = Identity(self.tenant_id, f"job:{self.kind}", self.user_id)
        left = self.deadline - asyncio.get_running_loop().time()
        return self.engine.session(identity, self.request_id, left if timeout is None else timeout)

    async def progress(self, percent: float) -> None:
        """Note how far it is (0 to 100), twice a second at most. Raises LeaseLost, Failure."""
        now = asyncio.get_running_loop().time()
        if now < self._noted + PROGRESS_SECONDS:
            return
        self._noted = now
        _require(
            await self.session().execute(
                sql.jobs.progress, job_id=self.job_id, claim=self.claim, progress=int(percent)
            )
        )

    async def finish(self, db: Session) -> None:
        """The job is done: to be called in the transaction that stores its result.

        Raises LeaseLost, which must roll that transaction back.
        """
        await self.end(db, "succeeded", None)

    async def end(self, db: Session, state: str, error: str | None) -> None:
        """Store how the job ended: succeeded or dead. Raises LeaseLost."""
        self.settling = True
        _require(
            await db.execute(
                sql.jobs.finish, job_id=self.job_id, claim=self.claim, state=state, error=error
            )
        )

    async def postpone(self, pause: float, error: str, *, counts: bool = True) -> None:
        """Put it back for a later attempt; whether this was one of them. Raises LeaseLost."""
        self.settling = True
        put_back = await self.session(10.0).execute(
            sql.jobs.retry_later, job_id=self.job_id, claim=self.claim, pause=pause,
            counts=counts, error=error,
        )  # fmt: skip
        _require(put_back)


def _require(rows: int) -> None:
    if not rows:
        raise LeaseLost
