"""What is done from time to time, by one process over all: a name, how often, and how.

Each task answers what it did, by name; that is what `ops.maintenance_runs` keeps. It may run twice
at once for a moment, when the leader changes.
"""

from __future__ import annotations

from collections.abc import Mapping

from service.database.session import Engine
from service.database.tree import sql
from service.jobs.leader import Periodic, upkeep
from service.jobs.worker import across_tenants
from service.settings import Settings

_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86_400.0
_SECONDS = 60.0  # for one statement of a task
_BATCH = 1000
_MONTHS_AHEAD = 3
_RUNS_KEPT_DAYS = 7.0


def tasks(engine: Engine, settings: Settings) -> list[Periodic]:
    """Every periodic task of the service."""

    async def audit_partitions() -> Mapping[str, int]:
        db = upkeep(engine, _SECONDS)
        return {"made": await db.value(sql.upkeep.partitions, months_ahead=_MONTHS_AHEAD)}

    async def idempotency_keys() -> Mapping[str, int]:
        removed = 0
        while batch := await upkeep(engine, _SECONDS).value(sql.upkeep.idempotency, batch=_BATCH):
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
        # stale executions (sql/executions/sweep_stale.sql) belong here, every minute
        Periodic("audit_partitions", 6 * _HOUR, audit_partitions),
        Periodic("idempotency_keys", _HOUR, idempotency_keys),
        Periodic("finished_jobs", _HOUR, finished_jobs),
        Periodic("maintenance_runs", _DAY, maintenance_runs),
    ]
