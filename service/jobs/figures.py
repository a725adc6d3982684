"""What operators see of jobs: how many wait, run and are dead, and what this process did."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from service.database.errors import Failure
from service.database.session import Engine
from service.database.tree import sql
from service.jobs.background import Background
from service.jobs.worker import across_tenants

_SECONDS = 1.0

Depth = Sequence[Mapping[str, Any]]  # kind, state, jobs, waited (seconds, or None)


async def depth(engine: Engine) -> Depth | None:
    """The queue over all tenants; None when the database does not say in time."""
    try:
        return await across_tenants(engine, _SECONDS).fetch(sql.jobs.depth)
    except Failure:
        return None


def summary(found: Depth | None, background: Background | None) -> dict[str, object]:
    """For /health/detailed."""
    states = dict.fromkeys(("queued", "running", "dead"), 0)
    for row in found or ():
        states[row["state"]] += row["jobs"]
    return {
        "known": found is not None,
        **states,
        "oldest_waits_seconds": max((row["waited"] or 0.0 for row in found or ()), default=0.0),
        "switched_on": background is not None,
        "here": background.worker.busy if background is not None else 0,
        "leads": background.leader.leading if background is not None else False,
    }


def exposition(found: Depth | None, background: Background | None) -> Iterator[str]:
    """The metrics in Prometheus' text format, line by line."""
    if found is not None:
        yield "# HELP quarry_jobs Jobs that are not done, over all processes.\n"
        yield "# TYPE quarry_jobs gauge\n"
        for row in found:
            yield f'quarry_jobs{{kind="{row["kind"]}",state="{row["state"]}"}} {row["jobs"]}\n'
        yield "# HELP quarry_jobs_waiting_seconds How long the first one that is due has waited.\n"
        yield "# TYPE quarry_jobs_waiting_seconds gauge\n"
        for row in found:
            if row["state"] == "queued":
                waited = row["waited"] or 0.0
                yield f'quarry_jobs_waiting_seconds{{kind="{row["kind"]}"}} {waited:.3f}\n'
    if background is None:
        return
    yield "# HELP quarry_job_attempts_total Attempts that ended in this process.\n"
    yield "# TYPE quarry_job_attempts_total counter\n"
    for (kind, outcome), count in sorted(background.worker.runs.items()):
        yield f'quarry_job_attempts_total{{kind="{kind}",outcome="{outcome}"}} {count}\n'
    yield "# TYPE quarry_jobs_here gauge\n"
    yield f"quarry_jobs_here {background.worker.busy}\n"
    yield "# HELP quarry_leader Whether this process does the upkeep.\n# TYPE quarry_leader gauge\n"
    yield f"quarry_leader {int(background.leader.leading)}\n"
