"""Is the projection what the documents say? They are executed again, and the rows compared.

It happens in a project of its own, in a transaction that is always rolled back.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from service.database.session import Engine, Identity, Session
from service.database.tree import sql
from service.dsl.registry import Registry
from service.resources.gateway import UNBOUNDED, carry_out
from service.resources.order import Order, Outcome, Refused

_TIMEOUT = 600.0


@dataclass(slots=True)
class Verdict:
    """What a replay found. `differences`: (table, stored row, replayed row), either may be None."""

    documents: int = 0
    differences: list[tuple[str, Any, Any]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    @property
    def same(self) -> bool:
        """Whether the projection is what the documents say."""
        return not self.differences and not self.refused


class _Done(Exception):
    """Rolls the replay back."""


async def verify(engine: Engine, identity: Identity, project_id: UUID) -> Verdict:
    """Replay all documents of a project and compare."""
    verdict = Verdict()
    db = engine.session(identity, "verify", _TIMEOUT)
    try:
        async with db.transaction():
            await _replay(db, project_id, verdict)
            raise _Done  # noqa: TRY301  (an exception is what rolls a transaction back)
    except _Done:
        return verdict


async def _replay(db: Session, project_id: UUID, verdict: Verdict) -> None:
    registry = Registry.from_json(await db.many(sql.dsl.verbs))
    scratch = await db.fetch(
        sql.projects.create, name="Replay", language="en", status=None, current_step=None,
        metadata=None, created_by=None,
    )  # fmt: skip
    replayed_id: UUID = scratch[0]["id"]
    for row in await db.fetch(sql.cases.history, project_id=project_id):
        verdict.documents += 1
        order = Order(
            row["dsl"], replayed_id, "replay", row["case_id"], strict=False,
            change_kind=row["change_kind"], operation_id=row["id"],
        )  # fmt: skip
        try:
            async with db.transaction():
                await carry_out(db, order, registry, UNBOUNDED, Outcome())
        except Refused as refused:
            verdict.refused += [
                f"{row['id']}: {f.code} {f.line}:{f.column} {f.message}"
                for f in refused.findings
                if f.severity == "error"
            ]
    found = await db.fetch(sql.cases.differences, stored_id=project_id, replayed_id=replayed_id)
    verdict.differences = [(r["of_table"], r["stored"], r["replayed"]) for r in found]
