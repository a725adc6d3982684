"""`quarry jobs`: work that outlives a request."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

import typer

from service.cli.output import FOUND, Json, fail, print_json, print_table, say
from service.cli.sessions import operator
from service.database.tree import sql

app = typer.Typer(no_args_is_help=True, help="List, retry and cancel jobs.")

JobId = Annotated[UUID, typer.Argument(help="The job's id (see `quarry jobs list`).")]
State = Literal["queued", "running", "succeeded", "dead", "cancelled"]


@app.command("list")
def list_(
    tenant: Annotated[str | None, typer.Option(help="Only this tenant's: name or id.")] = None,
    kind: Annotated[str | None, typer.Option(help="Only this kind.")] = None,
    state: Annotated[State | None, typer.Option(help="Only this state.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 100,
    as_json: Json = False,
) -> None:
    """List jobs, latest first; --json tells more of each."""
    with operator() as admin, admin.as_tenant():
        rows = admin.run(sql.jobs.list, tenant=tenant, kind=kind, state=state, most=limit)
    brief = ("id", "tenant", "kind", "state", "progress", "attempts", "last_error")
    full = (*brief, "max_attempts", "run_at", "claimed_by", "lease_until", "created_at",
            "started_at", "finished_at")  # fmt: skip
    print_table(full if as_json else brief, rows, as_json)


@app.command()
def retry(job_id: JobId, as_json: Json = False) -> None:
    """Let a dead, cancelled or waiting job run now, with all its attempts."""
    _change(sql.jobs.again, job_id, "there is no such job that is dead, cancelled or waiting",
            "retried", as_json)  # fmt: skip


@app.command()
def cancel(job_id: JobId, as_json: Json = False) -> None:
    """Cancel a job that waits or runs; one that runs is stopped at its next heartbeat."""
    _change(
        sql.jobs.cancel, job_id, "there is no such job that waits or runs", "cancelled", as_json
    )


def _change(name: object, job_id: UUID, refusal: str, done: str, as_json: bool) -> None:
    with operator() as admin, admin.as_tenant():
        changed = admin.run(name, job_id=job_id)[0]["affected"]
    if not changed:
        fail(refusal, FOUND)
    if as_json:
        print_json({done: str(job_id)})
    else:
        say(f"the job is {done}")
