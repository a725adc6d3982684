"""Several processes over one queue: each job once, none lost with a process, one leader."""

from __future__ import annotations

import signal
import time

from tests.jobs.conftest import Queue, Workers
from tests.support.wait import wait_until


def test_two_processes_do_each_of_many_jobs_once(queue: Queue, workers: Workers) -> None:
    both = [workers(jobs_concurrency=4), workers(jobs_concurrency=4)]
    queue.database.psql(
        "INSERT INTO ops.jobs (tenant_id, kind) SELECT t.id, 'count'"
        "  FROM core.tenants AS t, generate_series(1, 150)"
    )
    wait_until(lambda: queue.states() == {"succeeded": 300}, 30)
    ran = queue.ran()
    assert len(ran) == 300
    assert len({job for job, *_ in ran}) == 300
    assert {attempt for _, attempt, *_ in ran} == {1}
    assert {pid for *_, pid in ran} == {each.process.pid for each in both}


def test_the_jobs_of_a_killed_process_are_taken_over(queue: Queue, workers: Workers) -> None:
    job = queue.add("slow", seconds=60)
    first = workers()
    wait_until(lambda: queue.job(job)["state"] == "running")
    first.end(signal.SIGKILL)
    second = workers()
    wait_until(lambda: queue.job(job)["state"] == "succeeded", 10)
    assert queue.ran() == [(job, 2, "slow", second.process.pid)]
    assert queue.job(job)["last_error"] == "its worker did not come back"


def test_a_job_that_kills_its_process_is_dead_in_the_end(queue: Queue, workers: Workers) -> None:
    """However its attempts end, there are only so many."""
    job = queue.add("slow", seconds=60, most=1)
    first = workers()
    wait_until(lambda: queue.job(job)["state"] == "running")
    first.end(signal.SIGKILL)
    workers()
    wait_until(lambda: queue.job(job)["state"] == "dead", 10)
    assert queue.ran() == []
    assert queue.job(job)["last_error"] == "its worker did not come back"


def test_sigterm_gives_running_jobs_back_at_once(queue: Queue, workers: Workers) -> None:
    """Long before the lease would run out."""
    job = queue.add("slow", seconds=60)
    first = workers(shutdown_seconds=0.5, jobs_lease_seconds=120)
    wait_until(lambda: queue.job(job)["state"] == "running")
    began = time.monotonic()
    assert first.end(signal.SIGTERM) == 0
    assert time.monotonic() - began < 8
    row = queue.job(job)
    assert (row["state"], row["attempts"]) == ("queued", 0)


def test_sigterm_lets_a_running_job_end(queue: Queue, workers: Workers) -> None:
    job = queue.add("slow", seconds=1)
    first = workers(shutdown_seconds=20)
    wait_until(lambda: queue.job(job)["state"] == "running")
    assert first.end(signal.SIGTERM) == 0
    assert queue.job(job)["state"] == "succeeded"


LEADERS = "SELECT DISTINCT run_by FROM ops.maintenance_runs WHERE task = 'tick'"


def test_one_process_leads_and_another_takes_over_when_it_is_killed(
    queue: Queue, workers: Workers
) -> None:
    both = {str(each.process.pid): each for each in (workers(tick=0.1), workers(tick=0.1))}
    ask = queue.database.psql
    wait_until(lambda: ask("SELECT count(*) FROM ops.maintenance_runs")[0][0] > 5)
    (leader,) = [str(run_by).rpartition(":")[2] for (run_by,) in ask(LEADERS)]
    both[leader].end(signal.SIGKILL)
    wait_until(lambda: len(ask(LEADERS)) == 2, 15)
    other = next(pid for pid in both if pid != leader)
    assert any(str(run_by).endswith(f":{other}") for (run_by,) in ask(LEADERS))
    outcomes = dict(ask("SELECT outcome, count(*) FROM ops.maintenance_runs GROUP BY 1"))
    assert outcomes.keys() <= {"succeeded", "running", "abandoned"}  # type: ignore[operator]
    counts = ask("SELECT counts FROM ops.maintenance_runs WHERE outcome = 'succeeded' LIMIT 1")
    assert counts == [({"ticks": 1},)]


def test_a_leader_whose_connection_is_cut_leads_no_longer(queue: Queue, workers: Workers) -> None:
    """The lock was the connection's; whoever gets it next is the only one again."""
    for _ in range(2):
        workers(tick=0.1)
    ask = queue.database.psql
    holders = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND database ="
    holders += " (SELECT oid FROM pg_database WHERE datname = current_database())"
    wait_until(lambda: len(ask(holders)) == 1)
    first = ask(holders)
    ask("SELECT pg_terminate_backend(%s)", first[0][0])
    wait_until(lambda: len(now := ask(holders)) == 1 and now != first)
    seen = ask("SELECT count(*) FROM ops.maintenance_runs WHERE task = 'tick'")[0][0]
    wait_until(lambda: ask("SELECT count(*) FROM ops.maintenance_runs")[0][0] > seen + 3)


def test_a_task_is_not_done_again_because_the_leader_changed(
    queue: Queue, workers: Workers
) -> None:
    """When it was last done is known to whoever leads next."""
    ask = queue.database.psql
    first = workers(tick=3600)
    wait_until(lambda: ask(LEADERS))
    first.end(signal.SIGKILL)
    second = workers(tick=3600)
    locks = "SELECT 1 FROM pg_stat_activity WHERE application_name = 'quarry-leader'"
    locks += " AND datname = current_database()"
    wait_until(lambda: ask(locks))
    time.sleep(0.5)
    assert second.process.poll() is None
    assert ask("SELECT count(*) FROM ops.maintenance_runs")[0][0] == 1
