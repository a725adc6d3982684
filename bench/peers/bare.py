"""Starlette and asyncpg's pool as they come: Records, made JSON by orjson.

No row-level security, no deadlines, no metrics, no log: the least that one would write by hand.
"""

from __future__ import annotations

import base64
import contextlib
from collections.abc import AsyncIterator
from datetime import datetime
from decimal import Decimal
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
from service.database.queries import load
from service.settings import Settings

_COLUMNS = (
    "id, name, status, language, current_step, metadata, created_by, version, created_at,"
    " updated_at"
)
_DOCUMENT = (
    "id, project_id, document_type, version, revision, encode(content_sha256, 'hex') AS"
    " content_sha256, octet_length(content) AS bytes, content, metadata, readability_score,"
    " grammar_score, created_by, based_on, created_at, updated_at"
)
_LIVE = "tenant_id = $1 AND deleted_at IS NULL"
GET = f"SELECT {_COLUMNS} FROM workspace.projects WHERE {_LIVE} AND id = $2"
LIST = (
    f"SELECT {_COLUMNS} FROM workspace.projects WHERE {_LIVE}"
    " ORDER BY updated_at DESC, id DESC LIMIT $2"
)
LIST_AFTER = LIST.replace(" ORDER", " AND (updated_at, id) < ($3, $4) ORDER")
CREATE = f"""
    INSERT INTO workspace.projects
           (tenant_id, name, language, status, current_step, metadata, created_by)
    VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING {_COLUMNS}"""
CREATE_MANY = """
    INSERT INTO workspace.projects
           (tenant_id, name, language, status, current_step, metadata, created_by)
    SELECT $1, i.*
      FROM unnest($2::text[], $3::text[], $4::text[], $5::int[], $6::jsonb[], $7::uuid[]) AS i
    RETURNING id"""
UPDATE = f"""
    UPDATE workspace.projects
       SET name = coalesce($4, name), status = coalesce($5, status),
           current_step = coalesce($6, current_step), metadata = coalesce($7, metadata)
     WHERE {_LIVE} AND id = $2 AND version = $3 RETURNING {_COLUMNS}"""
CREATE_DOCUMENT = f"""
    INSERT INTO workspace.document_versions
           (tenant_id, project_id, document_type, content, metadata, readability_score,
            grammar_score, created_by)
    SELECT $1, p.id, $3, $4, $5, $6, $7, $8
      FROM workspace.projects AS p
     WHERE p.tenant_id = $1 AND p.id = $2 AND p.deleted_at IS NULL
    RETURNING {_DOCUMENT}"""
CONFIG = f"""
    SELECT workspace.text_search_config(language)::text FROM workspace.projects
     WHERE {_LIVE} AND id = $2"""
SEARCH = """
    SELECT d.id, d.project_id, d.document_type, d.version, octet_length(d.content) AS bytes,
           ts_rank_cd(d.search, q.query) AS rank,
           ts_headline($3::text::regconfig, left(d.content, 200000), q.query,
                'StartSel=<mark>, StopSel=</mark>, MaxFragments=3, MaxWords=20, MinWords=5')
           AS fragments
      FROM workspace.document_versions AS d
     CROSS JOIN (SELECT websearch_to_tsquery($3::text::regconfig, $4) AS query) AS q
     WHERE d.tenant_id = $1 AND d.project_id = $2 AND d.deleted_at IS NULL AND d.search @@ q.query
     ORDER BY rank DESC, d.id DESC LIMIT $5"""

# Nobody writes these figures in another way: the statement is the service's own.
METRICS = load(Settings().sql_dir)["executions.metrics"]


def _plain(value: Any) -> Any:
    """What orjson does not know: asyncpg's own uuids, numeric."""
    return float(value) if isinstance(value, Decimal) else str(value)


def _json(value: Any, status: int = 200, **headers: str) -> Response:
    return Response(
        orjson.dumps(value, default=_plain), status, headers, media_type="application/json"
    )


def _entity(row: asyncpg.Record | None, status: int = 200, **headers: str) -> Response:
    if row is None:
        raise HTTPException(404)
    version = row["revision"] if "revision" in row.keys() else row["version"]  # noqa: SIM118
    return _json(dict(row), status, etag=f'"{version}"', **headers)


async def _initialise(connection: asyncpg.Connection) -> None:
    for kind in ("json", "jsonb"):
        await connection.set_type_codec(
            kind, schema="pg_catalog", decoder=orjson.loads,
            encoder=lambda value: orjson.dumps(value).decode(),
        )  # fmt: skip


class Peer:
    """The handlers, over one pool."""

    def __init__(self, dsn: str, keys: Keys) -> None:
        self._dsn = dsn
        self._keys = keys
        self.pool: Any = None

    @contextlib.asynccontextmanager
    async def lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        """Open and close the pool."""
        async with asyncpg.create_pool(
            self._dsn, init_size=2, min_size=2, max_size=20, init=_initialise
        ) as self.pool:
            yield

    def _who(self, request: Request) -> Caller:
        found = self._keys.caller(request.headers.get("authorization"))
        if found is None:
            raise HTTPException(401, headers={"WWW-Authenticate": "Bearer"})
        return found

    async def ready(self, _request: Request) -> Response:
        """Serving."""
        return _json({})

    async def get(self, request: Request) -> Response:
        """One project."""
        tenant = self._who(request).tenant
        return _entity(
            await self.pool.fetchrow(GET, tenant, UUID(request.path_params["project_id"]))
        )

    async def index(self, request: Request) -> Response:
        """A page of projects."""
        tenant = self._who(request).tenant
        limit = int(request.query_params.get("limit", 50))
        cursor = request.query_params.get("cursor")
        if cursor is None:
            rows = await self.pool.fetch(LIST, tenant, limit + 1)
        else:
            changed, last = orjson.loads(base64.urlsafe_b64decode(cursor))
            rows = await self.pool.fetch(
                LIST_AFTER, tenant, limit + 1, datetime.fromisoformat(changed), last
            )
        following = None
        if len(rows) > limit:
            last = [rows[limit - 1]["updated_at"], rows[limit - 1]["id"]]
            following = base64.urlsafe_b64encode(orjson.dumps(last, default=_plain)).decode()
        return _json({"items": [dict(row) for row in rows[:limit]], "next_cursor": following})

    async def create(self, request: Request) -> Response:
        """A new project."""
        tenant = self._who(request).tenant
        body = orjson.loads(await request.body())
        row = await self.pool.fetchrow(
            CREATE, tenant, body["name"], body["language"], body.get("status", "draft"),
            body.get("current_step", 1), body.get("metadata", {}), body.get("created_by"),
        )  # fmt: skip
        return _entity(row, 201, location=f"/projects/{row['id']}")

    async def create_many(self, request: Request) -> Response:
        """Many projects by one statement."""
        tenant = self._who(request).tenant
        body = orjson.loads(await request.body())
        rows = await self.pool.fetch(
            CREATE_MANY, tenant, [b["name"] for b in body], [b["language"] for b in body],
            [b.get("status", "draft") for b in body], [b.get("current_step", 1) for b in body],
            [b.get("metadata", {}) for b in body], [b.get("created_by") for b in body],
        )  # fmt: skip
        return _json({"ids": [row[0] for row in rows]}, 201)

    async def update(self, request: Request) -> Response:
        """Change a project that still has the version of If-Match."""
        tenant, project = self._who(request).tenant, UUID(request.path_params["project_id"])
        if "if-match" not in request.headers:
            raise HTTPException(428)
        expected = int(request.headers["if-match"].strip('"'))
        body = orjson.loads(await request.body())
        row = await self.pool.fetchrow(
            UPDATE, tenant, project, expected, body.get("name"), body.get("status"),
            body.get("current_step"), body.get("metadata"),
        )  # fmt: skip
        if row is None and await self.pool.fetchrow(GET, tenant, project) is not None:
            raise HTTPException(412)
        return _entity(row)

    async def create_document(self, request: Request) -> Response:
        """The next version of a document."""
        tenant, project = self._who(request).tenant, UUID(request.path_params["project_id"])
        body = orjson.loads(await request.body())
        row = await self.pool.fetchrow(
            CREATE_DOCUMENT, tenant, project, body["document_type"], body["content"],
            body.get("metadata", {}), body.get("readability_score"), body.get("grammar_score"),
            body.get("created_by"),
        )  # fmt: skip
        if row is None:
            raise HTTPException(404)
        return _entity(row, 201, location=f"/projects/{project}/documents/{row['id']}")

    async def search(self, request: Request) -> Response:
        """Documents of a project that match."""
        tenant, project = self._who(request).tenant, UUID(request.path_params["project_id"])
        config = await self.pool.fetchval(CONFIG, tenant, project)
        if config is None:
            raise HTTPException(404)
        rows = await self.pool.fetch(SEARCH, tenant, project, config, request.query_params["q"], 51)
        return _json({"items": [dict(row) for row in rows[:50]], "next_cursor": None})

    async def metrics(self, request: Request) -> Response:
        """What became of a project's executions."""
        values = {
            "tenant_id": self._who(request).tenant,
            "project_id": UUID(request.path_params["project_id"]),
            "days": int(request.query_params.get("days", 30)),
        }
        row = await self.pool.fetchrow(METRICS.sql, *(values[name] for name in METRICS.order))
        if row is None:
            raise HTTPException(404)
        return _json(dict(row))


def create(dsn: str, keys: Keys, *, rls: bool) -> Starlette:
    """The application."""
    assert not rls
    peer = Peer(dsn, keys)
    one, documents = "/projects/{project_id}", "/projects/{project_id}/documents"
    routes = [
        Route("/ready", peer.ready),
        Route("/projects", peer.index),
        Route("/projects", peer.create, methods=["POST"]),
        Route("/projects/bulk", peer.create_many, methods=["POST"]),
        Route(one, peer.get),
        Route(one, peer.update, methods=["PUT"]),
        Route(documents, peer.create_document, methods=["POST"]),
        Route(documents + "/search", peer.search),
        Route(one + "/agents/metrics", peer.metrics),
    ]
    return Starlette(routes=routes, lifespan=peer.lifespan)
