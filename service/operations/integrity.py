"""Integrity for operators: run the checks over all tenants, repair what they find, undo that."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import orjson
import psycopg

from service.checks import CHECKS, Check, Outcome, files_on_disk, outcome
from service.database.queries import Query
from service.database.tree import sql
from service.files import FileStore
from service.operations import migration_verify, migrations
from service.operations.operator import Operator

__all__ = ["CATALOG", "REPAIRS", "Inspector", "RepairError", "declared", "monitoring", "snapshot"]

CATALOG = "catalog.json"  # beside the migrations: the schema as they declare it

# In this order: what links imports and flows again is known to those that come after.
REPAIRS = (
    (sql.repairs.import_links, "discovery_missing_links"),
    (sql.repairs.flow_links, "discovery_missing_links"),
    (sql.repairs.record_links, "discovery_missing_links"),
    (sql.repairs.asset_links, "discovery_missing_links"),
    (sql.repairs.discovery_dangling_links, "discovery_dangling_links"),
    (sql.repairs.discovery_tenant_mismatch, "discovery_tenant_mismatch"),
    (sql.repairs.discovery_project_mismatch, "discovery_project_mismatch"),
    (sql.repairs.discovery_duplicates, "discovery_duplicates"),
    (sql.repairs.workspace_dangling_links, "workspace_dangling_links"),
    (sql.repairs.workspace_tenant_mismatch, "workspace_tenant_mismatch"),
    (sql.repairs.workspace_project_mismatch, "workspace_project_mismatch"),
    (sql.repairs.file_missing, "file_missing"),
)


class RepairError(Exception):
    """A repair or its undoing was refused; nothing was changed. The message says why."""


class _DryRun(Exception):
    """Takes back what a dry run has planned."""


@dataclass(slots=True)
class Inspector:
    """Checks and repairs over an operator's connection.

    `files` and `migrations_dir` are what checks need besides the database.
    """

    operator: Operator
    queries: Mapping[str, Query]
    files: FileStore
    migrations_dir: Path
    _inputs: dict[str, Any] = field(default_factory=dict)

    def check(self, names: list[str] | None = None, most: int | None = 100) -> Iterator[Outcome]:
        """The outcomes, in their order; `most` rows of evidence per kind of damage."""
        blind = self._blind()
        for each in CHECKS:
            if not names or each.name in names:
                yield blind_outcome(each, blind) if blind else self._run(each, most)

    def _blind(self) -> str | None:
        try:
            if self.operator.run(sql.integrity.sight)[0]["sees_all"]:
                return None
        except psycopg.Error as error:
            return _first_line(error)
        return "this role does not see all tenants: use a member of quarry_owner"

    def _run(self, check: Check, most: int | None) -> Outcome:
        try:
            values = {"most": most, check.needs: self._input(check.needs)}
            with self.operator.as_tenant():
                return outcome(check, self.operator.run(check.query, **values))
        except (psycopg.Error, OSError, ValueError, KeyError) as error:
            return Outcome(check, "ERROR", error=_first_line(error))

    def _input(self, needs: str) -> Any:
        """What a check needs besides the database, read once. Raises OSError, ValueError."""
        if needs and needs not in self._inputs:
            if needs == "files":
                self._inputs[needs] = asyncio.run(files_on_disk(self.files)).decode()
            else:
                self._inputs[needs] = declared(self.migrations_dir)
        return self._inputs.get(needs)

    def repair(self, names: list[str] | None = None, *, apply: bool = False) -> dict[str, Any]:
        """Plan a repair of what the named checks find, and do it if told to.

        Answers `run_id`, `applied` and `repairs`, what is done to which rows and why, in groups.
        Raises RepairError.
        """
        run_id = uuid4()
        groups: list[dict[str, Any]] = []
        with contextlib.suppress(_DryRun), _refusals(), self.operator.as_tenant():
            for plan, check_name in REPAIRS:
                if not names or check_name in names:
                    given = {"files": self._input("files")} if "file_" in check_name else {}
                    self.operator.run(plan, run_id=run_id, **given)
            self.operator.run(sql.repairs.gather, run_id=run_id)
            groups = self.operator.run(sql.repairs.summary, run_id=run_id)
            if not (apply and groups):
                raise _DryRun
            self.operator.run(sql.repairs.apply, run_id=run_id)
        return {"run_id": run_id, "applied": bool(apply and groups), "repairs": groups}

    def undo(self, run_id: UUID) -> int:
        """Bring back what a run changed; how many rows. 0: nothing to undo. Raises RepairError."""
        advice = ": what was is forbidden now; lift that for the moment, and undo again"
        with _refusals(advice), self.operator.as_tenant():
            rows = self.operator.run(sql.repairs.undo, run_id=run_id)
        return int(next(iter(rows[0].values())))

    def runs(self) -> list[dict[str, Any]]:
        """The repairs that were made, latest first."""
        with self.operator.as_tenant():
            return self.operator.run(sql.repairs.runs)


def blind_outcome(check: Check, reason: str) -> Outcome:
    """An ERROR for a check that was not even tried."""
    return Outcome(check, "ERROR", error=reason)


@contextlib.contextmanager
def _refusals(advice: str = "") -> Iterator[None]:
    """RepairError for what PostgreSQL refuses; with the advice where a constraint stands in the
    way."""
    try:
        yield
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
        raise
    except psycopg.Error as error:
        constraint = error.diag.constraint_name
        told = f" (constraint {constraint})" if constraint else ""
        if isinstance(error, psycopg.errors.IntegrityError):
            told += advice
        raise RepairError(_first_line(error) + told) from error


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


# the declared schema


def declared(migrations_dir: Path) -> str:
    """The schema as the migrations declare it. Raises OSError, ValueError."""
    text = (migrations_dir / CATALOG).read_text("utf-8")
    orjson.loads(text)
    return text


def snapshot(dsn: str, migrations_dir: Path, queries: Mapping[str, Query]) -> str:
    """The text of the declared schema: what the migrations make of an empty scratch database."""
    with migration_verify.scratch(dsn) as copy:
        migrations.apply(copy, migrations_dir)
        return read_catalog(copy, queries)


def read_catalog(dsn: str, queries: Mapping[str, Query]) -> str:
    """The live schema in the form of `snapshot`. Raises psycopg.Error."""
    found = []
    with psycopg.connect(dsn, autocommit=True) as connection:
        operator = Operator(connection, queries)
        for check in CHECKS:
            if check.needs == "declared":
                found += [
                    {"kind": row["kind"], "table_name": row["table_name"], "name": row["object"],
                     "definition": row["live"]}
                    for row in operator.run(check.query, declared="[]")
                ]  # fmt: skip
    lines = sorted(orjson.dumps(entry).decode() for entry in found)
    return "[\n" + ",\n".join(lines) + "\n]\n"


# for other tools


def monitoring(check: Check, queries: Mapping[str, Query], migrations_dir: Path) -> str:
    """A check as one statement to paste, over all tenants, with 100 rows of evidence per kind."""
    values = {"tenant_id": "NULL", "most": "100", "files": "'[]'"}
    if check.needs == "declared":
        kind = queries[str(check.query)].text
        wanted = [e for e in orjson.loads(declared(migrations_dir)) if f"'{e['kind']}'" in kind]
        values["declared"] = "'" + orjson.dumps(wanted).decode().replace("'", "''") + "'"
    text = queries[str(check.query)].text

    def value(match: re.Match[str]) -> str:
        return values[match[1]]

    return re.sub(r"(?<![:\w]):([a-z_]+)", value, text)
