"""The application: routes, the middleware and the lifespan put together."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog
from starlette.routing import Router
from starlette.types import Receive, Scope, Send

from service import generation
from service.database.listen import Handler, Listener
from service.database.pool import Pool, PoolOptions
from service.database.queries import Query, load
from service.database.session import Engine
from service.files import FileStore
from service.http.auth import CHANNEL, Authenticator
from service.http.context import Process
from service.http.edge import Edge
from service.http.events import CHANNEL as EVENTS
from service.http.events import Hub
from service.http.idempotency import InFlight
from service.http.limits import RateLimiter
from service.http.observe import Observer
from service.http.openapi import contract_of
from service.http.peers import Peers
from service.http.routing import RouteTable
from service.jobs.background import Background, background_of, install
from service.jobs.worker import CHANNEL as JOBS_CHANNEL
from service.operations import caching, maintenance
from service.operations.usage import find
from service.operations.workbench import Workbench
from service.resources import ADMIN_ENDPOINTS, ENDPOINTS, kinds
from service.resources.proposals import GENERATOR
from service.settings import Settings

log = structlog.get_logger("quarry.app")


@dataclass(slots=True)
class Application:
    """Two ASGI applications, public and admin, that share one process' pool."""

    settings: Settings
    public: Edge
    admin: Edge
    expected_head: str
    commands: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    peers: Peers = field(default_factory=Peers)
    workbench: Workbench | None = None
    _reloads: set[asyncio.Task[None]] = field(default_factory=set)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The public listener; the lifespan opens and closes what both share."""
        if scope["type"] == "lifespan":
            await Router(lifespan=self._lifespan)(scope, receive, send)
        else:
            await self.public(scope, receive, send)

    def drain(self) -> None:
        """Not ready from now on."""
        if self.public.process is not None:
            self.public.process.draining = True
            self.public.process.events.drain()
            if (background := background_of(self.public.process)) is not None:
                background.drain()

    def reload(self) -> None:
        """Read the query files anew, in this process; the outcome is in the log."""
        if self.workbench is not None:
            task = asyncio.get_running_loop().create_task(self.workbench.on_signal())
            self._reloads.add(task)
            task.add_done_callback(self._reloads.discard)

    @contextlib.asynccontextmanager
    async def _lifespan(self, _app: object) -> AsyncIterator[None]:
        settings = self.settings
        async with _process(settings, load(settings.sql_dir), self.expected_head) as process:
            users = functools.cache(lambda: find(ENDPOINTS, ADMIN_ENDPOINTS, self.commands))
            process.contract = contract_of(settings.sql_dir)
            process.workbench = self.workbench = Workbench(process, users, self.peers)
            self.public.process = self.admin.process = process
            await self.peers.open(self.workbench.answer)
            try:
                yield
            finally:
                await self.peers.close()


def create(settings: Settings, expected_head: str, **more: Any) -> Application:
    """The application for these settings; nothing is opened before its lifespan starts.

    `more` may hold the `commands` that use queries, and the `peers` of this process.
    """
    tables = RouteTable(ENDPOINTS), RouteTable(ADMIN_ENDPOINTS)
    return Application(settings, Edge(tables[0]), Edge(tables[1]), expected_head, **more)


def pool_options(settings: Settings) -> PoolOptions:
    """The settings of the pool, in seconds."""
    return PoolOptions(
        dsn=settings.database_url or "",
        init_size=settings.pool_init_size,
        min_size=settings.pool_min_size,
        max_size=settings.pool_max_size,
        wait=settings.pool_wait_ms / 1000,
        connect_timeout=settings.connect_timeout_ms / 1000,
        idle=settings.pool_idle_seconds,
        isolation=settings.isolation,
        statement_cache=settings.statement_cache,
    )


@contextlib.asynccontextmanager
async def _process(
    settings: Settings, queries: Mapping[str, Query], head: str
) -> AsyncIterator[Process]:
    """What the requests of a process share, from the first connection to the last."""
    loop = asyncio.get_running_loop()
    pool = Pool(pool_options(settings))
    await pool.open()
    engine = Engine(pool, queries, settings.slow_query_ms / 1000)
    engine.on_slow = lambda name, seconds: log.warning("query.slow", query=name, ms=seconds * 1000)
    authenticator = Authenticator(settings, engine)
    hub = Hub(engine, settings.event_keepalive_seconds, settings.event_streams)
    files = FileStore.of(settings)
    cache = caching.of(settings, head)

    def on_gap() -> None:
        authenticator.forget_all()
        hub.wake_all()

    background = _background(settings, engine, files) if settings.jobs else None
    heard: dict[str, Handler] = {CHANNEL: authenticator.forget, EVENTS: hub.wake}
    if background is not None:
        heard[JOBS_CHANNEL] = background.worker.wake
    listener = Listener(settings.database_direct_url or settings.database_url or "", heard, on_gap)
    authenticator.listener = listener
    observer = Observer(access_log=settings.access_log, as_json=settings.log_format == "json")
    process = Process(
        settings, engine, authenticator,
        RateLimiter(settings.rate_limit, settings.rate_burst, loop.time),
        observer, InFlight(), hub, files, cache, head,
    )  # fmt: skip
    generator = process.extras[GENERATOR] = generation.of(settings)
    listener.start()
    observer.start()
    if background is not None:
        install(process, background)
        await background.start()
    warming = loop.create_task(caching.warm(cache, engine, settings.cache_warm))
    try:
        yield process
    finally:
        warming.cancel()
        await asyncio.gather(warming, return_exceptions=True)
        if background is not None:
            await background.stop()
        await cache.close()
        await listener.stop()
        await pool.close(settings.shutdown_seconds)
        await generator.close()
        await observer.stop()


def _background(settings: Settings, engine: Engine, files: FileStore) -> Background:
    """The jobs that this version knows, and its periodic tasks."""
    return Background(
        settings, pool_options(settings), engine, kinds(settings, files),
        lambda own: maintenance.tasks(own, settings, files),
    )  # fmt: skip
