"""What becomes of a job: done once, tried again, given up, taken over, never finished by two."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest

from service.database.errors import Failure
from service.database.session import Identity, Session
from service.database.tree import sql
from service.jobs.queue import Attempt, GiveUp, Kind, LeaseLost, enqueue
from tests.jobs.conftest import Queue, until, working
from tests.support.job_worker import KINDS, mark

NOBODY = UUID(int=0)


def run(check: Coroutine[Any, Any, None]) -> None:
    asyncio.run(check)


def test_a_job_is_done_for_its_tenant_in_the_name_of_who_asked(queue: Queue) -> None:
    jobs = [queue.add("count", tenant=side) for side in (0, 1)]

    async def check() -> None:
        async with working(queue.database, KINDS) as worker:
            await until(lambda: queue.states() == {"succeeded": 2})
            assert worker.runs == {("count", "succeeded"): 2}

    run(check())
    marks = queue.database.psql("SELECT job, attempt, user_id, request_id, actor FROM public.ran")
    expected = {(job, 1, str(UUID(int=7)), "r-1", "job:count") for job in jobs}
    assert set(marks) == expected
    done = queue.job(jobs[0])
    assert (done["progress"], done["claim"], done["attempts"]) == (100, None, 1)
    assert done["claimed_by"] and done["finished_at"] and done["last_error"] is None


def test_a_worker_leaves_kinds_that_it_does_not_know(queue: Queue) -> None:
    strange, known = queue.add("of.a.later.version"), queue.add("count")

    async def check() -> None:
        async with working(queue.database, KINDS):
            await until(lambda: queue.job(known)["state"] == "succeeded")

    run(check())
    assert queue.job(strange)["state"] == "queued"


def test_a_new_job_wakes_a_worker_that_is_told(queue: Queue) -> None:
    """Without polling: told by NOTIFY, which the database sends with the commit."""
    import psycopg

    with psycopg.connect(queue.database.owner_dsn, autocommit=True) as listener:
        listener.execute("LISTEN quarry_jobs")
        queue.add("count")
        assert [n.payload for n in listener.notifies(timeout=5, stop_after=1)] == ["count"]

    async def check() -> None:
        async with working(queue.database, KINDS, poll=60.0) as worker:
            await until(lambda: queue.states() == {"succeeded": 1})
            later = queue.add("count")
            await asyncio.sleep(0.3)
            assert queue.job(later)["state"] == "queued"
            worker.wake("count")
            await until(lambda: queue.states() == {"succeeded": 2})

    run(check())


def test_a_failing_job_is_tried_again_with_growing_pauses_and_then_dead(queue: Queue) -> None:
    pauses: list[float] = []
    buried: list[str] = []

    async def fail(attempt: Attempt) -> None:
        if attempt.number > 1:
            row = queue.job(attempt.job_id)
            began = datetime.fromisoformat(row["run_at"])
            pauses.append(began.timestamp())
        raise ValueError("amethyst, the tenant's secret")

    async def bury(attempt: Attempt, db: Session, reason: str) -> None:
        buried.append(reason)

    job = queue.add("fail", most=4)

    async def check() -> None:
        async with working(queue.database, {"fail": Kind(fail, bury)}) as worker:
            await until(lambda: queue.states() == {"dead": 1})
            assert worker.runs == {("fail", "retried"): 3, ("fail", "dead"): 1}

    run(check())
    row = queue.job(job)
    assert row["attempts"] == 4
    assert row["last_error"] == "ValueError"  # its text may hold what the tenant wrote
    assert buried == ["ValueError"]
    assert pauses == sorted(pauses)
    assert pauses[2] - pauses[1] > 0.05 * 0.5 * 4  # the third pause: four times the first, jittered


def test_a_job_that_cannot_succeed_is_given_up_at_once(queue: Queue) -> None:
    job = queue.add("refuse")

    async def check() -> None:
        async with working(queue.database, KINDS):
            await until(lambda: queue.states() == {"dead": 1})

    run(check())
    assert queue.job(job)["attempts"] == 1
    assert queue.job(job)["last_error"] == "this will never do"


def test_who_waits_for_a_job_is_told_in_the_transaction_that_gives_it_up(queue: Queue) -> None:
    """A burial that fails leaves the job for another one; in the end it is dead all the same."""
    burials = 0

    async def refuse(attempt: Attempt) -> None:
        raise GiveUp("no")

    async def bury(attempt: Attempt, db: Session, reason: str) -> None:
        nonlocal burials
        burials += 1
        await db.execute(  # type: ignore[call-overload]
            "t.ran", job=attempt.job_id, attempt=burials, word=reason, pid=0
        )
        if burials < 3:
            raise RuntimeError

    queue.add("sad")

    async def check() -> None:
        async with working(queue.database, {"sad": Kind(refuse, bury)}):
            await until(lambda: queue.states() == {"dead": 1})

    run(check())
    assert [(attempt, word) for _, attempt, word, _ in queue.ran()] == [(3, "no")]


def test_an_attempt_that_takes_too_long_is_ended(queue: Queue) -> None:
    async def hang(attempt: Attempt) -> None:
        await asyncio.sleep(60)

    job = queue.add("hang", most=1)

    async def check() -> None:
        async with working(queue.database, {"hang": Kind(hang, timeout=0.2)}):
            await until(lambda: queue.states() == {"dead": 1})

    run(check())
    assert queue.job(job)["last_error"] == "it took longer than 0.2 s"


def test_progress_can_be_watched(queue: Queue) -> None:
    seen: list[int] = []
    go_on = asyncio.Event()

    async def steps(attempt: Attempt) -> None:
        await attempt.progress(42.9)
        await go_on.wait()

    job = queue.add("steps")

    async def check() -> None:
        async with working(queue.database, {"steps": Kind(steps)}):
            await until(lambda: queue.job(job)["progress"] == 42)
            seen.append(queue.job(job)["progress"])
            go_on.set()
            await until(lambda: queue.states() == {"succeeded": 1})

    run(check())
    assert (seen, queue.job(job)["progress"]) == ([42], 100)


def take_away(queue: Queue, job: UUID) -> None:
    """Let the lease of a running job run out now."""
    queue.database.psql(
        "UPDATE ops.jobs SET lease_until = now() - interval '1 s' WHERE id = %s", job
    )


def test_who_lost_the_lease_can_store_nothing(queue: Queue) -> None:
    """The first worker hangs past its lease, a second one does the job, then the first wakes up."""
    hangs, wakes = asyncio.Event(), asyncio.Event()
    refused: list[str] = []

    async def first(attempt: Attempt) -> None:
        hangs.set()
        await wakes.wait()
        for call in (attempt.progress(50), mark(attempt, "first"), attempt.postpone(0, "again")):
            try:
                await call
            except LeaseLost:
                refused.append("refused")
        raise LeaseLost

    async def second(attempt: Attempt) -> None:
        await mark(attempt, "second")

    job = queue.add("fenced")

    async def check() -> None:
        async with working(queue.database, {"fenced": Kind(first)}, lease=60.0, poll=60.0) as one:
            await hangs.wait()
            await asyncio.to_thread(take_away, queue, job)
            async with working(queue.database, {"fenced": Kind(second)}):
                await until(lambda: queue.states() == {"succeeded": 1})
            wakes.set()
            await until(lambda: one.busy == 0)
            assert one.runs == {("fenced", "lost"): 1}

    run(check())
    assert [(attempt, word) for _, attempt, word, _ in queue.ran()] == [(2, "second")]
    assert refused == ["refused"] * 3
    assert (queue.job(job)["state"], queue.job(job)["attempts"]) == ("succeeded", 2)


def test_a_heartbeat_keeps_the_lease(queue: Queue) -> None:
    """A job runs for three leases beside a second worker that would take it."""
    job = queue.add("slow", seconds=1.8)

    async def check() -> None:
        async with (
            working(queue.database, KINDS, lease=0.6),
            working(queue.database, KINDS, lease=0.6),
        ):
            await until(lambda: queue.states() == {"succeeded": 1})

    run(check())
    assert queue.job(job)["attempts"] == 1


@pytest.mark.parametrize("what", ["cancelled", "lost"])
def test_a_job_that_is_no_longer_ours_is_stopped_at_the_next_heartbeat(
    queue: Queue, what: str
) -> None:
    ended = asyncio.Event()

    async def wait(attempt: Attempt) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    job = queue.add("wait")

    async def check() -> None:
        async with working(queue.database, {"wait": Kind(wait)}, lease=0.6, poll=60.0) as worker:
            await until(lambda: queue.job(job)["state"] == "running")
            state = "cancelled" if what == "cancelled" else "queued"
            await asyncio.to_thread(
                queue.database.psql,
                "UPDATE ops.jobs SET state = %s, claim = NULL, lease_until = NULL,"
                " run_at = 'infinity',"
                " finished_at = CASE WHEN %s = 'cancelled' THEN now() END WHERE id = %s",
                state, state, job,
            )  # fmt: skip
            await asyncio.wait_for(ended.wait(), 5)
            await until(lambda: worker.busy == 0)
            assert worker.runs == {("wait", "lost"): 1}

    run(check())
    assert queue.states() == {"cancelled" if what == "cancelled" else "queued": 1}


def test_a_worker_without_a_database_stops_what_it_may_have_lost(queue: Queue) -> None:
    """It cannot extend its lease, so when that has run out it must not go on."""
    ended = asyncio.Event()

    async def wait(attempt: Attempt) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    job = queue.add("wait")

    async def check() -> None:
        async with working(queue.database, {"wait": Kind(wait)}, lease=0.9, stop=0.1):
            await until(lambda: queue.job(job)["state"] == "running")
            await asyncio.to_thread(
                queue.database.psql, "REVOKE ALL ON ops.jobs FROM quarry_worker"
            )
            await asyncio.wait_for(ended.wait(), 5)
            await asyncio.to_thread(
                queue.database.psql, "GRANT SELECT, UPDATE, DELETE ON ops.jobs TO quarry_worker"
            )

    run(check())


def test_stopping_lets_jobs_end_and_gives_back_what_cannot(queue: Queue) -> None:
    short, long = queue.add("slow", seconds=0.5), queue.add("slow", seconds=60)

    async def check() -> None:
        async with working(queue.database, KINDS, stop=1.5, lease=60.0) as worker:
            await until(lambda: worker.busy == 2)

    run(check())
    assert queue.job(short)["state"] == "succeeded"
    given_back = queue.job(long)
    assert (given_back["state"], given_back["attempts"], given_back["claim"]) == ("queued", 0, None)


def test_no_job_is_taken_once_the_worker_drains(queue: Queue) -> None:
    async def check() -> None:
        async with working(queue.database, KINDS) as worker:
            worker.drain()
            queue.add("count")
            worker.wake()
            await asyncio.sleep(0.4)
            assert queue.states() == {"queued": 1}

    run(check())


@pytest.mark.parametrize("isolation", ["guard", "transaction"])
def test_the_worker_puts_its_role_on_for_one_transaction_alone(
    queue: Queue, isolation: str
) -> None:
    queue.add("count")

    async def check() -> None:
        async with working(queue.database, {}, isolation=isolation) as worker:
            nobody = Identity(NOBODY, "test")
            plain = worker.engine.session(nobody, "", 5)
            acting = worker.engine.session(replace(nobody, role="quarry_worker"), "", 5)
            for _ in range(2):
                assert await plain.fetch(sql.jobs.depth) == []
                assert len(await acting.fetch(sql.jobs.depth)) == 1
                async with acting.transaction():
                    assert len(await acting.fetch(sql.jobs.depth)) == 1

    run(check())


def test_a_failing_database_is_no_end_of_the_worker(queue: Queue) -> None:
    async def check() -> None:
        async with working(queue.database, KINDS):
            await asyncio.to_thread(queue.database.psql, "ALTER TABLE ops.jobs RENAME TO gone")
            await asyncio.sleep(0.4)
            await asyncio.to_thread(queue.database.psql, "ALTER TABLE ops.gone RENAME TO jobs")
            queue.add("count")
            await until(lambda: queue.states() == {"succeeded": 1})

    run(check())


def test_a_job_is_asked_for_in_the_transaction_of_the_caller(queue: Queue) -> None:
    async def check() -> None:
        async with working(queue.database, {}) as worker:
            identity = Identity(queue.tenants[0], "key:1", str(UUID(int=9)))
            db = worker.engine.session(identity, "r-2", 5)
            with pytest.raises(Failure):
                async with db.transaction():
                    await enqueue(db, "count")
                    await enqueue(db, "no kind")
            assert queue.states() == {}
            job = await enqueue(db, "count", job_id=UUID(int=5), args={"of": "x"}, max_attempts=2)
            assert job == UUID(int=5)
            with pytest.raises(Failure):
                await enqueue(db, "no kind")

    run(check())
    row = queue.job(UUID(int=5))
    assert (row["actor"], row["user_id"], row["request_id"]) == (
        "key:1", str(UUID(int=9)), "r-2",
    )  # fmt: skip
    assert (row["args"], row["max_attempts"], row["state"]) == ({"of": "x"}, 2, "queued")
