"""`quarry cases`: whether the tables are what the documents say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from service.cli.database import database_url, settings
from service.cli.output import FOUND, Json, fail, print_json, say
from service.cli.sessions import operator
from service.database.tree import sql

if TYPE_CHECKING:
    from service.resources.replay import Verdict

app = typer.Typer(no_args_is_help=True, help="Look after cases and their documents.")


@app.callback()
def _group() -> None:
    """Keeps `verify` a command of a group."""


@app.command("verify")
def verify_(
    tenant: Annotated[str, typer.Option(help="Whose cases: name or id.")],
    project: Annotated[str | None, typer.Option(help="Only this project's.")] = None,
    as_json: Json = False,
) -> None:
    """Execute all documents again, compare with the stored rows; exit 1 when they differ."""
    import asyncio  # noqa: PLC0415  (the service itself is loaded, which no other command needs)

    from service.database.errors import Failure  # noqa: PLC0415
    from service.http.inputs import parse_uuid  # noqa: PLC0415

    only = None if project is None else parse_uuid(project)
    if project is not None and only is None:
        fail(f"{project} is no id of a project")
    with operator() as admin, admin.as_tenant():
        known = admin.run(sql.tenants.find, tenant=tenant)
    if not known:
        fail(f"there is no tenant {tenant}", FOUND)
    try:
        verdicts = asyncio.run(_verify(UUID(str(known[0]["id"])), only))
    except Failure as failure:
        fail(f"the database cannot be asked: {failure}")
    if as_json:
        print_json({name: _as_json(one) for name, one in verdicts.items()})
    else:
        for name, one in verdicts.items():
            _tell(name, one)
    if not all(one.same for one in verdicts.values()):
        raise typer.Exit(FOUND)


async def _verify(tenant_id: UUID, only: UUID | None) -> dict[str, Verdict]:
    import dataclasses  # noqa: PLC0415

    from service.app import pool_options  # noqa: PLC0415
    from service.database.pool import Pool  # noqa: PLC0415
    from service.database.queries import load  # noqa: PLC0415
    from service.database.session import Engine, Identity  # noqa: PLC0415
    from service.resources.replay import verify  # noqa: PLC0415

    config = settings()
    options = dataclasses.replace(
        pool_options(config), dsn=database_url(), init_size=1, min_size=1, max_size=2
    )
    pool = Pool(options)
    await pool.open()
    try:
        engine = Engine(pool, load(config.sql_dir))
        identity = Identity(tenant_id, "cli:verify")
        async with engine.session(identity, "verify") as db:
            rows = await db.fetch(sql.cases.projects)
        found = {}
        for row in rows:
            if only is None or row["id"] == only:
                found[f"{row['name']} ({row['id']})"] = await verify(engine, identity, row["id"])
        return found
    finally:
        await pool.close(5.0)


def _as_json(one: Verdict) -> dict[str, Any]:
    return {
        "documents": one.documents, "same": one.same, "refused": one.refused,
        "differences": [{"table": t, "stored": s, "replayed": r} for t, s, r in one.differences],
    }  # fmt: skip


def _tell(name: str, one: Verdict) -> None:
    if one.same:
        say(f"{name}: {one.documents} documents, the projection is what they say")
        return
    say(f"{name}: {len(one.differences)} rows differ after {one.documents} documents")
    for table, stored, replayed in one.differences[:20]:
        say(f"  {table}: stored {stored}, replayed {replayed}")
    for refusal in one.refused[:20]:
        say(f"  refused: {refusal}")
