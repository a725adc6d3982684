"""Looking on while a migration runs: how far it is, and who stands in its way.

A short migration is never looked at: the connection for it is opened only after a moment.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, NamedTuple

import psycopg

__all__ = ["Blocker", "Report", "Seen", "Watch"]

_FIRST, _EVERY = 0.3, 0.25  # seconds


class Blocker(NamedTuple):
    """A session that holds what a migration waits for; `seconds` is how old its transaction is."""

    pid: int
    application: str | None
    user: str | None
    state: str | None
    seconds: int
    query: str | None

    def __str__(self) -> str:
        what = f"pid {self.pid}"
        if self.application or self.user:
            what += f" ({self.application or 'no application_name'}, role {self.user})"
        if self.state:
            what += f", {self.state}, its transaction is {self.seconds} s old"
        return f"{what}: {' '.join(self.query.split())}" if self.query else what


class Seen(NamedTuple):
    """One look at a migration that runs for `seconds` already."""

    migration: str
    seconds: float
    statement: str
    blockers: tuple[Blocker, ...]
    progress: str | None  # of an index that is built

    def __str__(self) -> str:
        line = f"{self.migration}: {self.seconds:.0f} s, {' '.join(self.statement.split())[:70]}"
        if self.progress:
            line += f" ({self.progress})"
        return line + "".join(f"\n  waits for {blocker}" for blocker in self.blockers)


Report = Callable[[Seen], None]


class Watch:
    """Looks at the session `pid` from another one, until the block ends.

    `blockers` are those that were seen last while the session waited.
    """

    def __init__(
        self, conninfo: str, query: bytes, migration: str, pid: int, report: Report | None
    ) -> None:
        self.blockers: tuple[Blocker, ...] = ()
        self._conninfo, self._query, self._pid = conninfo, query, pid
        self._migration, self._report = migration, report
        self._began = time.monotonic()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look, name="watch", daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._done.set()
        self._thread.join(5.0)

    def _look(self) -> None:
        if self._done.wait(_FIRST):
            return
        try:
            with psycopg.connect(self._conninfo, autocommit=True, connect_timeout=5) as connection:
                while not self._done.wait(_EVERY):
                    self._note(connection)
        except psycopg.Error:
            return  # the migration itself meets what is wrong, and says so

    def _note(self, connection: psycopg.Connection[Any]) -> None:
        row = connection.execute(self._query, {"pid": self._pid}).fetchone()
        if row is None:
            return
        statement, blocking, progress = row
        blockers = tuple(Blocker(**each) for each in blocking)
        self.blockers = blockers or self.blockers
        if self._report is not None:
            seconds = time.monotonic() - self._began
            self._report(Seen(self._migration, seconds, statement or "", blockers, progress))
