"""Migrations: yoyo's files and tables, made safe to run twice, twenty at a time, and half.

What is added to yoyo: an advisory lock that ends with its session; the mark in the transaction of
the migration itself, so that a killed process leaves all of a file or nothing; checksums of what
was applied; a schema that is newer or older than the service is named as such.

Needs a direct connection, not one through a pooler. The statements are in
`migrations/bookkeeping/`.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import socket
import time
from collections.abc import Callable, Collection, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row
from yoyo.backends.core.postgresql import PostgresqlPsycopgBackend
from yoyo.connections import DatabaseURI
from yoyo.migrations import default_migration_table, read_migrations

from service.operations.migration_failures import failure, kept
from service.operations.migration_files import (
    File,
    MigrationError,
    find,
    head,
    known,
    read,
    require_sound,
)
from service.operations.migration_watch import Report, Watch
from service.settings import Settings

__all__ = [
    "MigrationError",
    "SchemaMismatchError",
    "applied_head",
    "applied_names",
    "apply",
    "bookkeeping",
    "head",
    "require_current",
    "rollback",
    "status",
    "to_apply",
]

WAIT_SECONDS = 600.0  # for other migrators; the one before us may build an index
_SCHEMA = "public"
_TABLE = default_migration_table
_BOOKKEEPING = Settings().migrations_dir / "bookkeeping"
_POLL_SECONDS = 0.2

Progress = Callable[[str], None]


class SchemaMismatchError(MigrationError):
    """The schema is newer or older than this service; the message names the command to run."""


def status(conninfo: str, directory: Path) -> list[dict[str, Any]]:
    """One row per migration: `migration`, `state`, `applied_at` (or None).

    States: applied; pending; changed (a file differs from what was applied); missing (applied, but
    there is no file).
    """
    files = {f.id: f for f in read(directory)}
    with psycopg.connect(conninfo, autocommit=True) as connection:
        applied = _applied(connection)
        recorded = _recorded(connection)
    return [
        {
            "migration": name,
            "state": _state(files.get(name), name in applied, recorded.get(name)),
            "applied_at": applied.get(name),
        }
        for name in sorted(files.keys() | applied.keys())
    ]


def applied_head(conninfo: str) -> str | None:
    """Id of the newest applied migration, None on an empty database."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        return max(_applied(connection), default=None)


def require_current(conninfo: str, directory: Path) -> None:
    """SchemaMismatchError unless exactly the folder's migrations are applied."""
    expected_ids = known(directory)
    with psycopg.connect(conninfo, autocommit=True) as connection:
        applied = _applied(connection).keys()
    expected = head(directory)
    if applied - expected_ids:
        raise SchemaMismatchError(
            f"the schema is newer than this Quarry: it is at {max(applied)}, which knows "
            f"{expected}. Start the newer Quarry, or run there "
            f"`quarry migrate rollback --to {expected}`."
        )
    if expected_ids - applied:
        raise SchemaMismatchError(
            f"the schema is older than this Quarry: it is at {max(applied, default='zero')}, "
            f"{expected} is needed. Run `quarry migrate apply`."
        )


def apply(
    conninfo: str,
    directory: Path,
    to: str | None = None,
    *,
    wait: float = WAIT_SECONDS,
    progress: Progress | None = None,
    report: Report | None = None,
) -> list[str]:
    """Apply what is pending, up to and with `to`; answers the ids. Safe in parallel.

    Each file is one transaction, its mark included. MigrationError: a rule broken, an applied file
    changed, a statement failed (then nothing of that file is applied), or no lock within `wait`
    seconds. `report` is told several times a second how a file that takes longer goes on.
    """
    files = read(directory)
    require_sound(directory, files)
    with _Migrator(conninfo, directory, wait, report) as migrator:
        migrator.require_unchanged(files)
        pending = [file for file in files if file.id not in migrator.applied]
        wanted = [file for file in pending if not to or file.id <= find(files, to)]
        return migrator.run_all(wanted, "apply", progress)


def rollback(
    conninfo: str,
    directory: Path,
    to: str | None = None,
    *,
    wait: float = WAIT_SECONDS,
    progress: Progress | None = None,
    report: Report | None = None,
) -> list[str]:
    """Undo what came after `to` (`zero`: everything; None: the last one), newest first."""
    files = read(directory)
    require_sound(directory, files)
    with _Migrator(conninfo, directory, wait, report) as migrator:
        migrator.require_unchanged(files)
        wanted = to_roll_back(files, migrator.applied.keys(), to)
        return migrator.run_all(wanted[::-1], "rollback", progress)


def to_apply(conninfo: str, directory: Path, to: str | None) -> list[File]:
    """The files that `apply` would run now, in their order."""
    files, applied = read(directory), applied_names(conninfo)
    return [f for f in files if f.id not in applied and (not to or f.id <= find(files, to))]


def to_roll_back(files: list[File], applied: Collection[str], to: str | None) -> list[File]:
    """The applied files after `to`, oldest first."""
    present = [f for f in files if f.id in applied]
    if to is None:
        return present[-1:]
    keep = find(files, to)
    return [f for f in present if f.id > keep]


def applied_names(conninfo: str) -> set[str]:
    """Ids of all applied migrations."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        return set(_applied(connection))


class _Backend(PostgresqlPsycopgBackend):  # type: ignore[misc]
    """yoyo's backend without its lock table dance and its probe of what PostgreSQL can do."""

    _internal_schema_updated = False
    failed = ""  # the statement that failed first

    def cursor(self) -> Any:
        """One that tells which statement failed."""
        backend = self

        class Cursor(psycopg.Cursor[Any]):
            def execute(self, query: Any, *given: Any, **more: Any) -> Any:
                try:
                    return super().execute(query, *given, **more)
                except psycopg.Error:
                    backend.failed = backend.failed or str(query)
                    raise

        return Cursor(self.connection)

    def create_lock_table(self) -> None:
        """Made by prepare.sql."""

    def _check_transactional_ddl(self) -> bool:
        return True

    @contextlib.contextmanager
    def lock(self, timeout: float = 0) -> Iterator[None]:
        """The migrator holds the lock already."""
        yield

    def get_log_data(self, migration: Any = None, operation: str = "apply") -> dict[str, Any]:
        """As yoyo's, but with no DNS lookup, and for a user without a name."""
        try:
            user = getpass.getuser()
        except (KeyError, OSError):
            user = str(os.getuid())
        return {
            "id": os.urandom(16).hex(),
            "migration_id": migration.id if migration else None,
            "migration_hash": migration.hash if migration else None,
            "username": user,
            "hostname": socket.gethostname(),
            "created_at_utc": datetime.now(UTC).replace(tzinfo=None),
            "operation": operation,
        }


class _Migrator:
    """Holds the locks; applies and undoes single files."""

    def __init__(
        self, conninfo: str, directory: Path, wait: float, report: Report | None = None
    ) -> None:
        self._conninfo = conninfo
        self._directory = directory
        self._wait = wait
        self._report = report
        self._stack = contextlib.ExitStack()
        self.applied: dict[str, datetime] = {}

    def __enter__(self) -> _Migrator:
        with contextlib.ExitStack() as stack:
            self._guard = stack.enter_context(psycopg.connect(self._conninfo, autocommit=True))
            self._take_lock()
            stack.enter_context(self._hold_row())
            self._backend = stack.enter_context(_Backend(_uri(self._conninfo), _TABLE))
            self._backend.ensure_internal_schema_updated()
            self._backend._internal_schema_updated = True
            self._yoyo = {m.id: m for m in read_migrations(str(self._directory))}
            self.applied = _applied(self._backend.connection)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def require_unchanged(self, files: list[File]) -> None:
        """Refuse when an applied file changed or is gone; adopt what plain yoyo applied."""
        by_id = {f.id: f for f in files}
        recorded = _recorded(self._guard)
        for name in sorted(self.applied):
            if name not in by_id:
                raise SchemaMismatchError(
                    f"{name} is applied, but there is no such file: the schema is newer than "
                    "these migrations. Use those of the newer Quarry."
                )
            if name not in recorded:
                self._record(self._backend, by_id[name])
            elif recorded[name] != by_id[name].checksums():
                raise MigrationError(
                    f"{_changed(by_id[name], recorded[name])} changed after it was applied. "
                    "Restore it, and make the change a new migration (`quarry migrate new`)."
                )

    def run_all(self, files: list[File], direction: str, progress: Progress | None) -> list[str]:
        """Apply or roll back files, each with its mark; answers the ids. Raises MigrationError."""
        done: list[str] = []
        for file in files:
            with self._copy() as backend, self._watch(file, backend) as watch:
                try:
                    self._run(backend, file, direction)
                except psycopg.Error as error:
                    told = failure(file, direction, error, backend.failed, watch.blockers)
                    raise MigrationError(told + kept(done, direction)) from error
            done.append(file.id)
            if progress:
                progress(file.id)
        return done

    def _watch(self, file: File, backend: _Backend) -> Watch:
        pid = backend.connection.info.backend_pid
        return Watch(self._conninfo, bookkeeping("watch"), file.id, pid, self._report)

    def _run(self, backend: _Backend, file: File, direction: str) -> None:
        if file.transactional:
            with backend.transaction():
                self._yoyo[file.id].process_steps(backend, direction)
                backend.connection.execute(bookkeeping("stand_up"))
                self._mark(backend, file, direction)
        else:
            self._run_alone(backend, file, direction)

    def _run_alone(self, backend: _Backend, file: File, direction: str) -> None:
        """Statements that no transaction may hold: repeatable, so the mark may come after."""
        if name := file.index_name():
            query = bookkeeping("invalid_index")
            for (drop,) in backend.connection.execute(query, {"name": name}).fetchall():
                backend.connection.execute(drop)
        self._yoyo[file.id].process_steps(backend, direction)
        with self._copy() as fresh, fresh.transaction():
            self._mark(fresh, file, direction)

    def _mark(self, backend: _Backend, file: File, direction: str) -> None:
        migration = self._yoyo[file.id]
        backend.log_migration(migration, direction)
        if direction == "apply":
            backend.mark_one(migration, log=False)
            self._record(backend, file)
        else:
            backend.unmark_one(migration, log=False)
            backend.connection.execute(bookkeeping("forget"), {"migration_id": migration.id})

    def _record(self, backend: _Backend, file: File) -> None:
        apply_sha256, rollback_sha256 = file.checksums()
        backend.connection.execute(
            bookkeeping("record"),
            {
                "migration_id": file.id,
                "apply_sha256": apply_sha256,
                "rollback_sha256": rollback_sha256,
            },
        )

    def _copy(self) -> _Backend:
        backend: _Backend = self._backend.copy()
        backend._internal_schema_updated = True
        backend.connection.execute(bookkeeping("session"))
        return backend

    def _take_lock(self) -> None:
        try:
            self._guard.execute(bookkeeping("lock"), {"wait": f"{int(self._wait * 1000)}ms"})
        except psycopg.errors.LockNotAvailable as error:
            owner = self._guard.execute(bookkeeping("lock_owner")).fetchone()
            who = f" (pid {owner[0]}, role {owner[1]}, since {owner[2]:%H:%M:%S})" if owner else ""
            raise MigrationError(
                f"another `quarry migrate`{who} has been running for {self._wait:g} s: try again"
            ) from error
        self._guard.execute(bookkeeping("prepare"))

    def _hold_row(self) -> contextlib.ExitStack:
        """A transaction with yoyo's lock row in it, open until the stack is closed."""
        deadline = time.monotonic() + self._wait
        while True:
            try:
                with contextlib.ExitStack() as stack:
                    stack.enter_context(self._guard.transaction(force_rollback=True))
                    self._guard.execute(bookkeeping("hold"), {"pid": os.getpid()})
                    return stack.pop_all()
            except psycopg.errors.UniqueViolation as error:
                self._wait_for_yoyo(deadline, error)

    def _wait_for_yoyo(self, deadline: float, error: Exception) -> None:
        if self._guard.execute(bookkeeping("dead_lock")).fetchone():
            return
        holder = self._guard.execute(bookkeeping("lock_holder")).fetchone()
        if holder and time.monotonic() > deadline:
            raise MigrationError(
                f"a yoyo process (pid {holder[0]}) holds the lock since {holder[1]} UTC: wait for "
                "it, or run `yoyo break-lock` when you know that it is gone"
            ) from error
        time.sleep(_POLL_SECONDS)


def _uri(conninfo: str) -> DatabaseURI:
    """What yoyo's backend takes apart again: libpq itself reads the conninfo."""
    database = psycopg.conninfo.conninfo_to_dict(conninfo).get("dbname", "")
    arguments = {"conninfo": conninfo, "schema": _SCHEMA}
    return DatabaseURI("postgresql+psycopg", None, None, None, None, database, arguments)


def bookkeeping(name: str) -> Any:
    """Text of `migrations/bookkeeping/<name>.sql`."""
    return (_BOOKKEEPING / f"{name}.sql").read_bytes()


def _applied(connection: psycopg.Connection[Any]) -> dict[str, datetime]:
    # The first migration lets the service's roles read the table: no right means not applied.
    try:
        with connection.cursor(row_factory=dict_row) as cursor:
            rows = cursor.execute(bookkeeping("applied")).fetchall()
    except (psycopg.errors.UndefinedTable, psycopg.errors.InsufficientPrivilege):
        return {}
    return {row["migration_id"]: row["applied_at"] for row in rows}


def _recorded(connection: psycopg.Connection[Any]) -> dict[str, tuple[str, str]]:
    try:
        rows = connection.execute(bookkeeping("checksums")).fetchall()
    except psycopg.errors.UndefinedTable:
        return {}
    return {name: (apply_sha256, rollback_sha256) for name, apply_sha256, rollback_sha256 in rows}


def _state(file: File | None, applied: bool, recorded: tuple[str, str] | None) -> str:
    if file is None:
        return "missing"
    if not applied:
        return "pending"
    return "changed" if recorded and recorded != file.checksums() else "applied"


def _changed(file: File, recorded: tuple[str, str]) -> str:
    same = file.checksums()[0] == recorded[0]
    return file.rollback_path.name if same else file.path.name
