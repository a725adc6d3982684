"""Health: what a balancer and an operator ask. Open to all; tells no versions or hosts."""

from __future__ import annotations

from time import perf_counter

from starlette.requests import Request
from starlette.responses import Response

from service.cache.cache import exposition as cache_figures
from service.cache.cache import summary
from service.database.errors import Failure, Kind
from service.database.tree import sql
from service.http.answers import Answer, json_answer
from service.http.context import context, session
from service.http.observe import exposition
from service.http.problems import Problem
from service.http.routing import Endpoint, Handler
from service.jobs import figures
from service.jobs.background import background_of

_PING_SECONDS = 1.0


async def live(request: Request) -> Response:
    """The process turns; nothing else is asked."""
    return json_answer({"status": "ok"})


async def ready(request: Request) -> Response:
    """Whether this process can serve: database, migrations, pool, not draining."""
    components = await _components(request)
    failed = next((name for name, state in components.items() if state != "ok"), None)
    if failed is not None:
        code = "draining" if failed == "draining" else (
            "pool_exhausted" if failed == "pool" else "database_unavailable"
        )  # fmt: skip
        raise Problem(
            code, f"Not ready: {failed}.", headers={"Retry-After": "1"},
            extra={"component": failed, "components": components},
        )  # fmt: skip
    return json_answer({"status": "ready", "components": components})


async def database(request: Request) -> Response:
    """Whether the database answers, and how fast (ms)."""
    started = perf_counter()
    components = await _components(request)
    if components["database"] != "ok":
        raise Problem("database_unavailable", headers={"Retry-After": "1"},
                      extra={"component": "database"})  # fmt: skip
    took = perf_counter() - started
    return json_answer({"status": "ok", "ms": round(took * 1000, 3)})


async def cache(request: Request) -> Response:
    """What the cache of this process has seen, by kind. A cache that is down degrades nothing else:
    requests then go to the database."""
    kept = context(request).process.cache
    status = "ok" if await kept.ping() else "degraded"
    return json_answer(
        {"status": status, "kind": kept.store.kind, "resting": kept.open, "kinds": summary(kept)}
    )


async def detailed(request: Request) -> Response:
    """Every component; the admin listener adds figures."""
    process = context(request).process
    components = await _components(request)
    healthy = all(state == "ok" for state in components.values())
    body: dict[str, object] = {"components": components}
    endpoint = context(request).endpoint
    if endpoint is not None and endpoint.admin:
        pool = process.engine.pool
        body["pool"] = {
            "connections": pool.size, "idle": pool.idle, "waiting": pool.waiting,
            "limit": pool.options.max_size, "circuit_open": pool.breaker.open,
        }  # fmt: skip
        body["migrations"] = {"expected": process.expected_head}
        body["queries"] = len(process.engine.queries)
        if process.workbench is not None:
            body["sql"] = process.workbench.state()
        body["jobs"] = figures.summary(await figures.depth(process.engine), background_of(process))
    if not healthy:
        raise Problem("database_unavailable", headers={"Retry-After": "1"}, extra=body)
    return json_answer({"status": "ok", **body})


async def metrics(request: Request) -> Response:
    """The metrics in Prometheus' text format."""
    process = context(request).process
    queue = await figures.depth(process.engine)
    text = "".join(
        [
            *exposition(process.observer, process.engine, process.events),
            *figures.exposition(queue, background_of(process)),
            *cache_figures(process.cache),
        ]
    )
    return Answer(text.encode(), content_type=(b"content-type", b"text/plain; version=0.0.4"))


async def _components(request: Request) -> dict[str, str]:
    here = context(request)
    process = here.process
    states = {"database": "ok", "migrations": "ok", "pool": "ok"}
    here.deadline = min(here.deadline, here.started + _PING_SECONDS)
    try:
        async with session(request) as db:
            head = await db.value(sql.health.head)
        if head != process.expected_head:
            states["migrations"] = "not at the expected version"
    except Failure as failure:
        if failure.kind is Kind.EXHAUSTED:
            states["pool"] = "exhausted"
        else:
            states["database"] = "unavailable"
            states["migrations"] = "unknown"
    if process.draining:
        states["draining"] = "draining"
    return states


_STATUS = {"type": "object", "required": ["status"], "properties": {"status": {"type": "string"}}}


def _endpoint(
    path: str, handler: Handler, summary: str, *problems: str, admin: bool = False
) -> Endpoint:
    return Endpoint(
        "GET",
        path,
        handler,
        None,
        summary,
        "health",
        schema=_STATUS,
        problems=problems,
        admin=admin,
    )


_DOWN = ("database_unavailable", "pool_exhausted", "draining")
ENDPOINTS = [
    _endpoint("/health", live, "The process turns"),
    _endpoint("/health/live", live, "The process turns"),
    _endpoint("/health/ready", ready, "This process can serve", *_DOWN),
    _endpoint("/ready", ready, "This process can serve", *_DOWN),
    _endpoint("/health/database", database, "The database answers", "database_unavailable"),
    _endpoint("/health/db", database, "The database answers", "database_unavailable"),
    _endpoint("/health/cache", cache, "The cache"),
    _endpoint("/health/detailed", detailed, "Every component", "database_unavailable"),
]
ADMIN_ENDPOINTS = [
    *(e for e in ENDPOINTS if e.path != "/health/detailed"),
    _endpoint(
        "/health/detailed",
        detailed,
        "Every component, with figures",
        "database_unavailable",
        admin=True,
    ),
    _endpoint("/metrics", metrics, "Metrics for Prometheus", admin=True),
]
