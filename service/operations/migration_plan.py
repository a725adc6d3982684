"""What applying the pending migrations would do: locks, on what, how large it is, and findings.

Locks are read from the statements (`migration_locks.py`) and, where the role may make a database,
seen: on a scratch copy, made by the migrations that are applied, each pending one runs in a
transaction that is rolled back, and the server tells what it holds. A copy has no rows: what takes
time on yours takes none there, so the sizes of the tables stand beside their locks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import psycopg

from service.operations import migration_locks, migration_squawk
from service.operations.migration_files import File, MigrationError, find, lint, read
from service.operations.migration_locks import MODES, Lock, mode_named
from service.operations.migration_verify import scratch
from service.operations.migrations import applied_names, apply, bookkeeping
from service.operations.parse_tree import ToolMissingError

__all__ = ["Plan", "Size", "Step", "plan", "sizes"]


@dataclass(frozen=True, slots=True)
class Size:
    """Rows of a table, None when nobody knows, and whether they were counted; bytes."""

    rows: int | None
    exact: bool
    bytes: int


@dataclass(frozen=True, slots=True)
class Step:
    """One pending migration."""

    migration: str
    transactional: bool
    statements: tuple[str, ...]
    locks: tuple[Lock, ...] = ()
    findings: tuple[str, ...] = ()
    fails: str | None = None  # what it says on the copy


@dataclass(frozen=True, slots=True)
class Plan:
    """All pending migrations; `notes` say what could not be looked at, and why."""

    steps: tuple[Step, ...] = ()
    sizes: Mapping[str, Size] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "pending": [
                {
                    "migration": step.migration,
                    "transactional": step.transactional,
                    "fails": step.fails,
                    "locks": [self._lock(step, lock) for lock in step.locks],
                    "findings": step.findings,
                }
                for step in self.steps
            ],
            "notes": self.notes,
        }

    def _lock(self, step: Step, lock: Lock) -> dict[str, Any]:
        size = self.sizes.get(lock.table)
        return {
            "table": lock.table,
            "lock": lock.mode,
            "blocks": lock.blocks,
            "effect": lock.effect,
            "source": lock.source,
            "statement": lock.statement,
            "sql": step.statements[lock.statement - 1],
            **(asdict(size) if size else {"rows": None, "exact": False, "bytes": None}),
        }


def plan(conninfo: str, directory: Path, to: str | None = None, *, copy: bool = True) -> Plan:
    """Look at all that `apply` would do, up to and with `to`, without doing it.

    `copy`: in a scratch database as well. Raises MigrationError, psycopg.Error.
    """
    files = read(directory)
    applied = applied_names(conninfo)
    last = find(files, to) if to else files[-1].id
    pending = [f for f in files if f.id not in applied and f.id <= last]
    notes: list[str] = []
    steps = {f.id: Step(f.id, f.transactional, f.statements) for f in pending}
    for file in pending:
        try:
            locks = tuple(migration_locks.taken(file.statements))
            steps[file.id] = replace(steps[file.id], locks=locks)
        except ToolMissingError as error:
            notes.append(str(error))
            break
    if copy and pending:
        _run_on_copy(conninfo, directory, [f for f in files if f.id in applied], steps, notes)
    _find(directory, pending, steps, notes)
    tables = {lock.table for step in steps.values() for lock in step.locks}
    return Plan(tuple(steps.values()), sizes(conninfo, tables), tuple(notes))


def sizes(conninfo: str, tables: Iterable[str]) -> dict[str, Size]:
    """How large the tables are that there are; small ones are counted."""
    found: dict[str, Size] = {}
    with psycopg.connect(conninfo, autocommit=True) as connection:
        rows = connection.execute(bookkeeping("table_sizes"), {"tables": [*tables]}).fetchall()
        for table, estimate, countable, size in rows:
            count = None if estimate is None else round(estimate)
            if countable:
                made = connection.execute(bookkeeping("exact_count"), {"table": table}).fetchone()
                counted = connection.execute(made[0]).fetchone() if made else None
                count = counted[0] if counted else None
            found[table] = Size(count, bool(countable), size)
    return found


def _find(directory: Path, pending: list[File], steps: dict[str, Step], notes: list[str]) -> None:
    """What the rules of this project, and squawk's, say of the pending files."""
    by_file = {f.path.name: f.id for f in pending} | {f.rollback_path.name: f.id for f in pending}
    found: list[tuple[str, str]] = [
        (by_file[finding.file], str(finding))
        for finding in lint(directory, read(directory))
        if finding.file in by_file
    ]
    try:
        lines = migration_squawk.squawk(directory, pending)
    except MigrationError as error:
        notes.append(str(error))
        lines = []
    for line in lines:
        name = Path(line.partition(":")[0]).name
        found.append((by_file.get(name, pending[0].id), line.replace(f"{directory}/", "")))
    for step, text in found:
        steps[step] = replace(steps[step], findings=(*steps[step].findings, text))


# on a copy


def _run_on_copy(
    conninfo: str, directory: Path, applied: list[File], steps: dict[str, Step], notes: list[str]
) -> None:
    """Run each pending step on a copy and add what was seen."""
    try:
        with scratch(conninfo) as copied:
            if applied:
                apply(copied, directory, applied[-1].id)
            for step in steps.values():
                if step.transactional:
                    steps[step.migration] = _seen(copied, step)
                if steps[step.migration].fails is not None:
                    notes.append(f"what comes after {step.migration} was not run on the copy")
                    break
                apply(copied, directory, step.migration)
    except psycopg.errors.InsufficientPrivilege:
        notes.append("read from the files alone: the role may not make a scratch database "
                     "(CREATEDB)")  # fmt: skip
    except MigrationError as error:
        notes.append(f"not all was run on the copy: {error}")


def _seen(copied: str, step: Step) -> Step:
    """The step with the locks that a run took which was rolled back."""
    found: dict[tuple[str, str], Lock] = {(lock.table, lock.mode): lock for lock in step.locks}
    with psycopg.connect(copied) as connection:
        connection.execute(bookkeeping("session"))
        before = _tables(connection)
        held: set[tuple[str, str]] = set()
        for number, statement in enumerate(step.statements, 1):
            try:
                connection.execute(statement.encode())
            except psycopg.Error as error:
                message = error.diag.message_primary or str(error)
                connection.rollback()
                return replace(step, fails=f"statement {number}: {message}")
            for table, mode in _held(connection, before) - held:
                held.add((table, mode))
                known = found.get((table, mode))
                source = "both" if known else "run"
                found[table, mode] = (known or Lock(number, table, mode))._replace(source=source)
        connection.rollback()
    locks = sorted(found.values(), key=lambda lock: (lock.statement, -MODES.index(lock.mode)))
    return replace(step, locks=tuple(_without_weaker(locks)))


def _tables(connection: psycopg.Connection[Any]) -> set[int]:
    rows = connection.execute(bookkeeping("all_tables")).fetchall()
    return {oid for (oid,) in rows}


def _held(connection: psycopg.Connection[Any], before: set[int]) -> set[tuple[str, str]]:
    """Tables that were there before, with the modes in which this session holds them now."""
    rows = connection.execute(bookkeeping("held_locks")).fetchall()
    named = {(name, mode_named(mode)) for oid, name, mode in rows if oid in before}
    return {(name, mode) for name, mode in named if mode != MODES[0]}


def _without_weaker(locks: list[Lock]) -> list[Lock]:
    """Of what only the run has shown, what is no weaker than a lock on the same table by then."""
    kept: list[Lock] = []
    for lock in locks:
        strongest = max(
            (MODES.index(other.mode) for other in kept if other.table == lock.table), default=-1
        )
        if lock.source != "run" or MODES.index(lock.mode) > strongest:
            kept.append(lock)
    return kept
