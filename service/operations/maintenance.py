"""What is done from time to time, by one process over all: a name, how often, and how.

Each task answers what it did, by name; that is what `ops.maintenance_runs` keeps. It may run twice
at once for a moment, when the leader changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from uuid import UUID

from asyncpg.pgproto import pgproto

from service.database.session import Engine, Identity
from service.database.tree import sql
from service.files import DRAFT, EXPORTS, UPLOADS, FileStore, Stored
from service.jobs.leader import Periodic, upkeep
from service.jobs.worker import across_tenants
from service.settings import Settings

_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86_400.0
_SECONDS = 60.0  # for one statement of a task
_BATCH = 1000
_MONTHS_AHEAD = 3
_RUNS_KEPT_DAYS = 7.0


def tasks(engine: Engine, settings: Settings, files: FileStore) -> list[Periodic]:
    """Every periodic task of the service."""

    async def audit_partitions() -> Mapping[str, int]:
        db = upkeep(engine, _SECONDS)
        return {"made": await db.value(sql.upkeep.partitions, months_ahead=_MONTHS_AHEAD)}

    async def idempotency_keys() -> Mapping[str, int]:
        removed = 0
        while batch := await upkeep(engine, _SECONDS).value(sql.upkeep.idempotency, batch=_BATCH):
            removed += batch
        return {"removed": removed}

    async def stale_executions() -> Mapping[str, int]:
        failed, stale = 0, timedelta(seconds=settings.execution_stale_after)
        while batch := await upkeep(engine, _SECONDS).value(
            sql.executions.sweep_stale, stale=stale, batch=_BATCH
        ):
            failed += batch
        return {"failed": failed}

    async def topic_events() -> Mapping[str, int]:
        removed, kept = 0, timedelta(days=settings.event_keep_days)
        while batch := await upkeep(engine, _SECONDS).value(
            sql.upkeep.events, older_than=kept, batch=_BATCH
        ):
            removed += batch
        return {"removed": removed}

    async def expired_exports() -> Mapping[str, int]:
        abandoned = await upkeep(engine, _SECONDS).value(sql.exports.abandon)
        expired = 0
        while rows := await upkeep(engine, _SECONDS).fetch(sql.exports.expire, batch=_BATCH):
            for row in rows:
                await files.remove_all(EXPORTS, row["tenant_id"], f"{row['export_id']}.")
            expired += len(rows)
        return {"expired": expired, "abandoned": abandoned}

    async def stray_files() -> Mapping[str, int]:
        age = settings.stray_file_seconds
        exports, uploads = [
            [file for file in await files.stored(area) if file.age >= age]
            for area in (EXPORTS, UPLOADS)
        ]
        removed = await _remove_exports(engine, files, exports)
        return {"removed": removed + await _remove_uploads(engine, files, uploads)}

    async def expired_memories() -> Mapping[str, int]:
        removed = 0
        while batch := await upkeep(engine, _SECONDS).value(sql.upkeep.memories, batch=_BATCH):
            removed += batch
        return {"removed": removed}

    async def finished_jobs() -> Mapping[str, int]:
        removed, days = 0, settings.jobs_keep_days
        while batch := await across_tenants(engine, _SECONDS).execute(
            sql.jobs.sweep, days=days, batch=_BATCH
        ):
            removed += batch
        return {"removed": removed}

    async def maintenance_runs() -> Mapping[str, int]:
        db = upkeep(engine, _SECONDS)
        return {"removed": await db.execute(sql.maintenance.sweep, days=_RUNS_KEPT_DAYS)}

    return [
        Periodic("stale_executions", _MINUTE, stale_executions),
        Periodic("topic_events", _HOUR, topic_events),
        Periodic("expired_exports", settings.upkeep_seconds, expired_exports),
        Periodic("stray_files", settings.upkeep_seconds, stray_files),
        Periodic("expired_memories", _HOUR, expired_memories),
        Periodic("audit_partitions", 6 * _HOUR, audit_partitions),
        Periodic("idempotency_keys", _HOUR, idempotency_keys),
        Periodic("finished_jobs", _HOUR, finished_jobs),
        Periodic("maintenance_runs", _DAY, maintenance_runs),
    ]


async def _remove_exports(engine: Engine, files: FileStore, found: list[Stored]) -> int:
    """Remove the files of exports that are gone, over or complete under another name.

    The files are listed first and looked up afterwards: an export is in the database before its
    first file is on the disk, so what has no row then never will have one.
    """
    removed = 0
    for start in range(0, len(found), _BATCH):
        batch = [(file, of) for file in found[start : start + _BATCH] if (of := _export_of(file))]
        rows = await upkeep(engine, _SECONDS).fetch(
            sql.exports.describe,
            tenants=[file.tenant_id for file, _ in batch], exports=[of for _, of in batch],
        )  # fmt: skip
        known = {row["export_id"]: (row["status"], row["file_sha256"]) for row in rows}
        for file, of in batch:
            status, sha256 = known.get(of, ("gone", None))
            wanted = status in ("pending", "running") or (
                status == "completed" and file.name == f"{of}.{sha256}"
            )
            if not wanted:
                removed += await files.remove(EXPORTS, file.tenant_id, file.name)
    return removed


async def _remove_uploads(engine: Engine, files: FileStore, found: list[Stored]) -> int:
    """Remove the uploads that no live file lays claim to: what a crash between a commit and the
    disk leaves behind. A draft of that age belongs to nothing, for nobody writes to it any more."""
    removed = 0
    of_tenants: dict[UUID, list[str]] = {}
    for file in found:
        of_tenants.setdefault(file.tenant_id, []).append(file.name)
    for tenant_id, names in of_tenants.items():
        for start in range(0, len(names), _BATCH):
            batch = names[start : start + _BATCH]
            whole = [name for name in batch if not name.endswith(DRAFT)]
            db = engine.session(Identity(pgproto.UUID(str(tenant_id)), "upkeep"), "", _SECONDS)
            known = {row["stored_name"] for row in await db.fetch(sql.files.stored, names=whole)}
            for name in set(batch) - known:
                removed += await files.remove(UPLOADS, tenant_id, name)
    return removed


def _export_of(file: Stored) -> UUID | None:
    """The export that a file is of, by its name."""
    try:
        return UUID(file.name.partition(".")[0])
    except ValueError:
        return None
