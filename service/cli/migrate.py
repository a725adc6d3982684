"""`quarry migrate`: the schema, forwards and back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import psycopg
import typer

from service.cli.database import owner_url, settings
from service.cli.output import FOUND, Json, fail, print_json, print_table, say
from service.operations import (
    migration_files,
    migration_locks,
    migration_plan,
    migration_squawk,
    migration_verify,
    migrations,
)
from service.operations.migration_files import File
from service.operations.migration_plan import Plan, Size, Step
from service.operations.migration_watch import Report, Seen
from service.operations.parse_tree import ToolMissingError

app = typer.Typer(no_args_is_help=True, help="Plan, apply, undo and prove the schema's migrations.")

To = Annotated[str | None, typer.Option("--to", help="Number or name of the last one; or `zero`.")]
Wait = Annotated[float, typer.Option(help="Seconds to wait for another run.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the SQL, do nothing.")]

_TELL_EVERY = 2.0  # seconds between two lines about a migration that goes on as before


@app.command("status")
def show_status(as_json: Json = False) -> None:
    """List all migrations and whether they are applied. Exit 1 when one is not as it should be."""
    with _reported():
        rows = migrations.status(owner_url(), _directory())
    print_table(["migration", "state", "applied_at"], rows, as_json)
    counts = {state: sum(row["state"] == state for row in rows) for state in _NEXT}
    for state, count in counts.items():
        if count and not as_json:
            say(f"{count} {state}: {_NEXT[state]}")
    if any(counts.values()):
        raise typer.Exit(FOUND)


_NEXT = {
    "pending": "`quarry migrate plan` tells what they would do, `quarry migrate apply` does it",
    "changed": "restore the file as it was applied, and make the change a new migration",
    "missing": "applied, but there is no such file: use the files of the newer version",
}


@app.command()
def plan(
    to: To = None,
    copy: Annotated[
        bool, typer.Option("--copy/--no-copy", help="Run it on a scratch copy and look.")
    ] = True,
    as_json: Json = False,
) -> None:
    """Tell what `apply` would do: locks, on which tables, how large they are, findings.

    Locks are read from the files and seen on a scratch copy of the schema, in transactions that are
    rolled back; the database itself is not touched. Exit 1 when there is a finding.
    """
    with _reported():
        found = migration_plan.plan(owner_url(), _directory(), to, copy=copy)
    if as_json:
        print_json(found.as_json())
    else:
        for step in found.steps:
            _print_step(step, found)
        for note in found.notes:
            say(f"note: {note}")
        if not found.steps:
            say("nothing is pending")
    if any(step.findings or step.fails for step in found.steps):
        raise typer.Exit(FOUND)


def _print_step(step: Step, found: Plan) -> None:
    how = "" if step.transactional else ", without a transaction"
    typer.echo(f"\n{step.migration} ({len(step.statements)} statements{how})")
    rows = [
        {
            "table": lock.table,
            "rows": _rows(found.sizes.get(lock.table)),
            "lock": lock.mode,
            "blocks": lock.blocks,
            "seen in": lock.source,
            "by": f"{lock.statement}: {step.statements[lock.statement - 1][:48]}",
            "and": lock.effect,
        }
        for lock in step.locks
    ]
    if rows:
        print_table([*rows[0]], rows)
    else:
        typer.echo("no lock on any table that is there")
    if step.fails:
        typer.echo(f"fails on the copy: {step.fails}")
    for finding in step.findings:
        typer.echo(finding)


def _rows(size: Size | None) -> str:
    if size is None:
        return ""
    if size.rows is None:
        return f"unknown, {size.bytes // 1024} KiB"
    return f"{size.rows:,}" if size.exact else f"≈ {size.rows:,}"


@app.command()
def apply(
    to: To = None, wait: Wait = 600.0, dry_run: DryRun = False, as_json: Json = False
) -> None:
    """Apply what is pending. Safe to run many times and in parallel."""
    if dry_run:
        with _reported():
            files = migrations.to_apply(owner_url(), _directory(), to)
        _print_sql([file.path for file in files])
        return
    timer = _Timer()
    with _reported():
        done = migrations.apply(
            owner_url(), _directory(), to,
            wait=wait, progress=lambda name: timer.tell(f"applied {name}"), report=_reporter(),
        )  # fmt: skip
    if as_json:
        print_json({"applied": done, "seconds": timer.seconds})
    say(f"{len(done)} applied" if done else "nothing to do")


@app.command()
def rollback(
    to: To = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    wait: Wait = 600.0,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Undo the last migration, or all that came after `--to`. Their data is lost."""
    url, directory = owner_url(), _directory()
    with _reported():
        files = migration_files.read(directory)
        wanted = migrations.to_roll_back(files, migrations.applied_names(url), to)
    if dry_run:
        _print_sql([file.rollback_path for file in reversed(wanted)])
        return
    done: list[str] = []
    timer = _Timer()
    if wanted:
        if not yes:
            _ask(url, wanted)
        with _reported():
            before = wanted[0].id
            keep = max((file.id for file in files if file.id < before), default="zero")
            done = migrations.rollback(
                url, directory, keep,
                wait=wait, progress=lambda name: timer.tell(f"undid {name}"), report=_reporter(),
            )  # fmt: skip
    if as_json:
        print_json({"undone": done, "seconds": timer.seconds})
    say(f"{len(done)} undone" if done else "nothing to do")


def _ask(url: str, wanted: list[File]) -> None:
    """Leaves with 1 unless somebody says yes to losing what the migrations hold."""
    for line in _losses(url, wanted):
        say(line)
    names = ", ".join(file.id for file in reversed(wanted))
    if not typer.confirm(f"Undo {names}? What they hold is lost.", err=True):
        fail("not done", FOUND)


def _losses(url: str, wanted: list[File]) -> Iterator[str]:
    """The tables and columns that go, with how many rows they have; nothing without the parser."""
    try:
        dropped = [name for file in wanted for name in migration_locks.drops(file.rollback)]
        with _reported():
            known = migration_plan.sizes(url, {".".join(n.split(".")[:2]) for n in dropped})
    except ToolMissingError:
        return
    for name in dropped:
        size = known.get(".".join(name.split(".")[:2]))
        if size is not None and size.rows != 0:
            yield f"{name} goes, of {_rows(size)} rows"


@app.command()
def verify(as_json: Json = False) -> None:
    """Prove in a scratch database that every migration can be undone. Exit 1 with findings."""
    with _reported():
        findings = migration_verify.verify(owner_url(), _directory(), say)
    if as_json:
        print_json({"findings": findings})
    else:
        for finding in findings:
            typer.echo(finding)
    if findings:
        raise typer.Exit(FOUND)
    say("up, every step down and up, zero, up: the same schema, and no row lost")


@app.command()
def lint(as_json: Json = False) -> None:
    """Check the files without a database: the rules of this project, and squawk's."""
    with _reported():
        directory = _directory()
        files = migration_files.read(directory)
        findings = [str(finding) for finding in migration_files.lint(directory, files)]
        findings += migration_squawk.squawk(directory, files)
    if as_json:
        print_json({"findings": findings})
    else:
        for finding in findings:
            typer.echo(finding)
    if findings:
        raise typer.Exit(FOUND)
    say(f"{len(files)} migrations, no findings")


@app.command()
def new(
    words: Annotated[list[str], typer.Argument(help="What it does, in a few words.")],
    alone: Annotated[
        bool, typer.Option("--concurrently", help="For one CONCURRENTLY statement.")
    ] = False,
) -> None:
    """Make the next pair of files with its header. Both must be filled: `lint` says what lacks."""
    with _reported():
        file = migration_files.create(_directory(), " ".join(words), alone=alone)
    typer.echo(file.path)
    typer.echo(file.rollback_path)
    say(
        f"write both, and rows for its tables into {_directory() / 'samples' / (file.id + '.sql')};"
    )
    say("then: quarry migrate lint, plan, verify")


def _print_sql(paths: list[Path]) -> None:
    for path in paths:
        typer.echo(f"-- {path.name}\n{path.read_text('utf-8')}")
    if not paths:
        say("nothing to do")


class _Timer:
    """Says what was done, and keeps how long it took."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._began = time.monotonic()

    def tell(self, what: str) -> None:
        """A migration has ended."""
        now = time.monotonic()
        took, self._began = round(now - self._began, 3), now
        self.seconds[what.partition(" ")[2]] = took
        say(f"{what} ({took:.1f} s)" if took >= 1 else what)


def _reporter() -> Report:
    """Says what a migration waits for when that changes, and how it goes on every few seconds."""
    last: tuple[object, float] = (None, 0.0)

    def tell(seen: Seen) -> None:
        nonlocal last
        state, now = (seen.migration, [blocker.pid for blocker in seen.blockers]), time.monotonic()
        if state != last[0] or now > last[1] + _TELL_EVERY:
            last = state, now
            say(str(seen))

    return tell


def _directory() -> Path:
    return settings().migrations_dir


@contextmanager
def _reported() -> Iterator[None]:
    """Errors as one message and exit code 2; what libpq says never holds a password."""
    try:
        yield
    except (migrations.MigrationError, psycopg.Error) as error:
        fail(str(error))
