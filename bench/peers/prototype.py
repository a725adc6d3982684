"""The service's data path and nothing around it: what everything else of the service costs.

Starlette, a free list of connections with prepared statements, the tenant by the guard in the same
round trip, JSON made by PostgreSQL. No authentication beyond a dictionary, no deadlines, no
metrics, no log, no validation; only the operations that the goal names.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import asyncpg
import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bench.peers.keys import Caller, Keys
from service.database import guard
from service.database.queries import load
from service.settings import Settings

CONNECTIONS = 20


async def _initialise(connection: guard.Connection) -> None:
    same = {"schema": "pg_catalog", "format": "binary"}
    await connection.set_type_codec("json", encoder=lambda v: v, decoder=lambda v: v, **same)
    await connection.set_type_codec(
        "jsonb", encoder=lambda v: b"\x01" + orjson.dumps(v), decoder=orjson.loads, **same
    )
    await guard.verify(connection)


class Peer:
    """The handlers, over a free list of connections."""

    def __init__(self, dsn: str, keys: Keys) -> None:
        self._dsn = dsn
        self._keys = keys
        self._queries = load(Settings().sql_dir)
        self._callers: dict[str, Caller] = {}
        self._free: asyncio.LifoQueue[tuple[guard.Connection, dict[str, Any]]] = asyncio.LifoQueue()

    @contextlib.asynccontextmanager
    async def lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        """Open and close the connections."""
        async with asyncpg.create_pool(
            self._dsn, min_size=CONNECTIONS, max_size=CONNECTIONS, connect=guard.connect,
            connection_class=guard.Connection, init=_initialise,
        ) as pool:  # fmt: skip
            leases = [await pool.acquire() for _ in range(CONNECTIONS)]
            for lease in leases:
                self._free.put_nowait((lease._con, {}))
            yield
            for lease in leases:
                await pool.release(lease)

    def _who(self, request: Request) -> Caller:
        header = request.headers["authorization"]
        found = self._callers.get(header) or self._keys.caller(header)
        if found is None:
            raise HTTPException(401)
        self._callers[header] = found
        return found

    async def _row(self, name: str, who: Caller, /, **values: Any) -> Any:
        query = self._queries[name]
        given = {**values, "tenant_id": who.tenant}
        link, statements = await self._free.get()
        try:
            statement = statements.get(name)
            if statement is None:
                statement = statements[name] = await link.prepare(query.wire)
            tenant = str(who.tenant)
            link.transport.armed = (
                guard.write_guard(tenant, who.actor, "", "") if query.writes
                else guard.read_guard(tenant)
            )  # fmt: skip
            return await statement.fetchrow(*[given.get(n) for n in query.order])
        finally:
            self._free.put_nowait((link, statements))

    async def ready(self, _request: Request) -> Response:
        """Serving."""
        return Response(b"{}")

    async def get(self, request: Request) -> Response:
        """One project."""
        row = await self._row(
            "projects.get", self._who(request), project_id=UUID(request.path_params["project_id"])
        )
        return _entity(row)

    async def index(self, request: Request) -> Response:
        """A page of projects."""
        limit = int(request.query_params.get("limit", 50))
        row = await self._row("projects.list", self._who(request), limit=limit + 1)
        cursor = b"null" if row[1] is None else orjson.dumps(row[1].decode())
        return Response(b'{"items": ' + row[0] + b', "next_cursor": ' + cursor + b"}")

    async def create(self, request: Request) -> Response:
        """A new project."""
        body = orjson.loads(await request.body())
        return _entity(await self._row("projects.create", self._who(request), **body), 201)

    async def update(self, request: Request) -> Response:
        """Change a project that still has the version of If-Match."""
        body = orjson.loads(await request.body())
        row = await self._row(
            "projects.update", self._who(request),
            project_id=UUID(request.path_params["project_id"]),
            expected_version=int(request.headers["if-match"].strip('"')), **body,
        )  # fmt: skip
        return _entity(row)


def _entity(row: Any, status: int = 200) -> Response:
    if row is None:
        raise HTTPException(404)
    return Response(row[1], status, {"etag": f'"{row[0]}"'}, "application/json")


def create(dsn: str, keys: Keys, *, rls: bool) -> Starlette:
    """The application."""
    assert rls
    peer = Peer(dsn, keys)
    one = "/projects/{project_id}"
    routes = [
        Route("/ready", peer.ready),
        Route("/projects", peer.index),
        Route("/projects", peer.create, methods=["POST"]),
        Route(one, peer.get),
        Route(one, peer.update, methods=["PUT"]),
    ]
    return Starlette(routes=routes, lifespan=peer.lifespan)
