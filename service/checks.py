"""The checks of integrity: which there are, of what class, and what they need besides a database.

Each is a query of `sql/integrity/` that answers its evidence, a row per damaged row; none means
that nothing is wrong. Both the command and the endpoint run these.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

import orjson

from service.database.queries import Query
from service.database.tree import sql
from service.files import DRAFT, EXPORTS, UPLOADS, FileStore, Stored

__all__ = ["CHECKS", "Check", "Outcome", "State", "files_on_disk", "outcome", "title"]

State = Literal["PASS", "FAIL", "ERROR"]
_EXPORT = re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.([0-9a-f]{64})\Z")


@dataclass(frozen=True, slots=True)
class Check:
    """A query and the class of damage that it looks for. `needs`: what is given to it besides.

    Checks that need the declared schema are about the installation, not about a tenant.
    """

    query: Any
    kind: str
    needs: Literal["", "files", "declared"] = ""

    @property
    def name(self) -> str:
        """The query's name without its folder."""
        return str(self.query).partition(".")[2]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a check has found: `count` damaged rows, of which `evidence` shows some.

    An ERROR is a check that could not run, with the reason; it says nothing about the data.
    """

    check: Check
    state: State
    count: int = 0
    evidence: tuple[dict[str, Any], ...] = ()
    error: str | None = None


CHECKS = (
    Check(sql.integrity.discovery_dangling_links, "dangling link"),
    Check(sql.integrity.discovery_missing_links, "missing link"),
    Check(sql.integrity.discovery_childless_parents, "childless parent"),
    Check(sql.integrity.discovery_tenant_mismatch, "tenant mismatch"),
    Check(sql.integrity.discovery_project_mismatch, "project mismatch"),
    Check(sql.integrity.discovery_flow_mismatch, "link mismatch"),
    Check(sql.integrity.discovery_illegal_states, "illegal state"),
    Check(sql.integrity.discovery_duplicates, "duplicate"),
    Check(sql.integrity.conservation, "count mismatch"),
    Check(sql.integrity.workspace_dangling_links, "dangling link"),
    Check(sql.integrity.workspace_missing_links, "missing link"),
    Check(sql.integrity.workspace_childless_parents, "childless parent"),
    Check(sql.integrity.workspace_tenant_mismatch, "tenant mismatch"),
    Check(sql.integrity.workspace_project_mismatch, "project mismatch"),
    Check(sql.integrity.workspace_illegal_states, "illegal state"),
    Check(sql.integrity.workspace_duplicates, "duplicate"),
    Check(sql.integrity.workspace_counts, "count mismatch"),
    Check(sql.integrity.cases_dangling_links, "dangling link"),
    Check(sql.integrity.cases_counts, "count mismatch"),
    Check(sql.integrity.assistant_dangling_links, "dangling link"),
    Check(sql.integrity.assistant_counts, "count mismatch"),
    Check(sql.integrity.file_missing, "file missing", "files"),
    Check(sql.integrity.file_orphaned, "orphaned file", "files"),
    Check(sql.integrity.schema_columns, "schema drift", "declared"),
    Check(sql.integrity.schema_constraints, "schema drift", "declared"),
    Check(sql.integrity.schema_foreign_keys, "schema drift", "declared"),
    Check(sql.integrity.schema_indexes, "schema drift", "declared"),
    Check(sql.integrity.schema_policies, "schema drift", "declared"),
    Check(sql.integrity.schema_triggers, "schema drift", "declared"),
)


def title(query: Query) -> str:
    """What a check looks for, in words: the prose of its file."""
    return " ".join(query.header.prose)


def outcome(check: Check, rows: Iterable[Any]) -> Outcome:
    """The outcome of a check that ran. A row's `count` is how many there are of its kind."""
    evidence = tuple({name: row[name] for name in _COLUMNS} for row in rows)
    counts = {(row["table_name"], row["kind"]): row["count"] for row in evidence}
    return Outcome(check, "FAIL" if evidence else "PASS", sum(counts.values()), evidence)


_COLUMNS = ("table_name", "kind", "tenant_id", "row_id", "detail", "count")


async def files_on_disk(files: FileStore, tenant_id: UUID | None = None) -> bytes:
    """The files of exports and uploads as the checks of files want them; only a tenant's, if named.

    Raises OSError.
    """
    return orjson.dumps([
        _described(area, file)
        for area in (EXPORTS, UPLOADS)
        for file in await files.stored(area)
        if not file.name.endswith(DRAFT) and tenant_id in (None, file.tenant_id)
    ])  # fmt: skip


def _described(area: str, file: Stored) -> dict[str, Any]:
    match = _EXPORT.match(file.name) if area == EXPORTS else None
    return {
        "area": area,
        "tenant_id": str(file.tenant_id),
        "export_id": match[1] if match else None,
        "file_sha256": match[2] if match else None,
        "name": file.name,
        "age": file.age,
    }
