"""What is asked of the gateway, and what became of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any
from uuid import UUID

from service.database.session import Session
from service.dsl.findings import Finding

AGAIN = ("rollback", "replace")  # versions that stand for all that came before them


@dataclass(slots=True)
class Order:
    """What to do with a document. `case_id`: the case that it is appended to."""

    text: str
    project_id: UUID
    kind: str = "execute"
    case_id: str | None = None
    expected_version: int | None = None
    dry_run: bool = False
    strict: bool = True
    change_kind: str | None = None  # of versions after the first; append when None
    base_version: int | None = None
    operation_id: UUID | None = None  # made when the document has its turn, unless it is known
    first: Callable[[Session], Awaitable[None]] | None = None  # in its transaction, before it

    @property
    def again(self) -> bool:
        """Whether the case is made anew, without what it was before."""
        return self.change_kind in AGAIN and self.case_id is not None


@dataclass(slots=True)
class Outcome:
    """What became of a document; filled on the way. `rows`: table → inserted, updated, deleted."""

    operation_id: UUID | None = None
    committed: bool = False
    count: int = 0  # of forms
    forms: list[dict[str, Any]] = field(default_factory=list)
    cases: list[dict[str, Any]] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    rows: dict[str, dict[str, int]] = field(default_factory=dict)
    stages: dict[str, float] = field(default_factory=dict)  # milliseconds
    keep_text: bool = False  # no version holds the whole document

    def clear(self) -> None:
        """As before the first attempt."""
        self.operation_id, self.committed, self.count, self.keep_text = None, False, 0, False
        for held in (self.forms, self.cases, self.findings, self.rows, self.stages):
            held.clear()

    def tally(self, table: str, inserted: int = 0, updated: int = 0, deleted: int = 0) -> None:
        """Count rows of a table."""
        counted = self.rows.setdefault(table, {"inserted": 0, "updated": 0, "deleted": 0})
        counted["inserted"] += inserted
        counted["updated"] += updated
        counted["deleted"] += deleted

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Measure a stage."""
        started = perf_counter()
        try:
            yield
        finally:
            self.stages[stage] = round((perf_counter() - started) * 1000, 3)


class Refused(Exception):
    """The document has errors: `findings`. Nothing was written."""

    def __init__(self, findings: list[Finding]) -> None:
        super().__init__(f"{len(findings)} findings")
        self.findings = findings


class VersionConflict(Exception):
    """The case has another version than expected."""

    def __init__(self, case_id: str, current: int) -> None:
        super().__init__(f"{case_id} has version {current}")
        self.case_id = case_id
        self.current = current
