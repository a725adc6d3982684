"""Reloading in one process: what stays behind, and what happens at once."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from uuid import uuid4

import pytest
from asyncpg.pgproto.pgproto import UUID

from service import app as application
from service.app import Application
from service.database.errors import Failure, Kind
from service.database.session import Identity
from service.database.tree import sql
from service.settings import Settings
from tests.support.cluster import Database

SQL = Path(__file__).parents[2] / "sql"
SOMEBODY = Identity(UUID("00000000-0000-0000-0000-000000000001"), "somebody")
CONDITION = "p.deleted_at IS NULL"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return shutil.copytree(SQL, tmp_path / "sql")


@contextlib.asynccontextmanager
async def running(database: Database, folder: Path) -> AsyncIterator[Application]:
    """The application without its listeners."""
    settings = Settings(
        database_url=database.app_dsn, sql_dir=folder, pool_max_size=4, access_log=False
    )
    app = application.create(settings, "none")
    async with app._lifespan(None):
        yield app


def in_process(
    database: Database, folder: Path, work: Callable[[Application], Awaitable[None]]
) -> None:
    async def run() -> None:
        async with running(database, folder) as app:
            await work(app)

    asyncio.run(run())


def another(folder: Path, number: int) -> None:
    """The same query in other words."""
    shipped = (SQL / "projects/get.sql").read_text()
    text = shipped.replace(CONDITION, f"{CONDITION} AND {number} = {number}")
    (folder / "projects/get.sql").write_text(text)


async def ask(app: Application) -> None:
    process = app.public.process
    assert process is not None
    async with process.engine.session(SOMEBODY) as db:
        assert await db.one(sql.projects.get, project_id=uuid4()) is None
        assert await db.value(sql.projects.version, project_id=uuid4()) is None


def test_prepared_statements_of_old_texts_do_not_pile_up(
    module_database: Database, folder: Path
) -> None:
    async def work(app: Application) -> None:
        assert app.workbench is not None and app.public.process is not None
        pool = app.public.process.engine.pool
        for number in range(12):
            another(folder, number)
            assert (await app.workbench.here()).status == "reloaded"
            await asyncio.gather(*(ask(app) for _ in range(12)))
        assert len(pool.links) > 1
        for link in pool.links:
            held = await link.connection.fetch("SELECT statement FROM pg_prepared_statements")
            texts = [row["statement"] for row in held]
            assert sum("quarry:projects.get" in text for text in texts) <= 2, texts
            assert sum("quarry:projects.version" in text for text in texts) == 1
            assert sum("quarry:projects." in text for text in link.statements) == 2

    in_process(module_database, folder, work)


def test_a_connection_that_is_closed_is_forgotten(module_database: Database, folder: Path) -> None:
    async def work(app: Application) -> None:
        assert app.public.process is not None
        pool = app.public.process.engine.pool
        await asyncio.gather(*(ask(app) for _ in range(8)))
        before = len(pool.links)
        pool.expire()
        while pool.size:  # noqa: ASYNC110  (until it is done)
            await asyncio.sleep(0.01)
        assert before > 1 and not pool.links

    in_process(module_database, folder, work)


def test_a_unit_of_work_keeps_its_set(module_database: Database, folder: Path) -> None:
    async def work(app: Application) -> None:
        assert app.workbench is not None and app.public.process is not None
        engine = app.public.process.engine
        old = engine.session(SOMEBODY)
        text = (SQL / "projects/version.sql").read_text()
        text = text.replace(
            "SELECT p.version\n", "SELECT coalesce(max(p.version), 77) AS version\n"
        )
        (folder / "projects/version.sql").write_text(text)
        outcome = await app.workbench.here()
        assert outcome.changed == ("projects.version",), outcome
        new = engine.session(SOMEBODY)
        kept = engine.session(SOMEBODY, queries=old._queries)
        asked = [
            await db.value(sql.projects.version, project_id=uuid4()) for db in (old, new, kept)
        ]
        assert asked == [None, 77, None]

    in_process(module_database, folder, work)


def test_reloads_at_once_take_turns(module_database: Database, folder: Path) -> None:
    async def work(app: Application) -> None:
        assert app.workbench is not None
        another(folder, 1)
        bench = app.workbench
        outcomes = await asyncio.gather(*(bench.here() for _ in range(4)))
        assert sorted(o.status for o in outcomes) == ["reloaded", *["unchanged"] * 3]
        assert len({o.fingerprint for o in outcomes}) == 1

    in_process(module_database, folder, work)


def test_without_a_database_nothing_changes(module_database: Database, folder: Path) -> None:
    async def work(app: Application) -> None:
        assert app.workbench is not None and app.public.process is not None
        another(folder, 1)
        before = app.workbench.state()
        object.__setattr__(app.public.process.settings, "database_url", "host=/nowhere")
        with pytest.raises(Failure) as failure:
            await app.workbench.here()
        assert failure.value.kind is Kind.UNAVAILABLE
        await app.workbench.on_signal()  # says so in the log, and no more
        assert app.workbench.state() == before

    in_process(module_database, folder, work)
