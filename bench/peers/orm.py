"""FastAPI, SQLAlchemy 2 (asyncpg) and Pydantic 2, tuned as one who knows them would.

uvloop and httptools; a pool of 20; statements built once, compiled once and prepared by asyncpg;
expire_on_commit off; jsonb by orjson; rows validated once and dumped to bytes by Pydantic's own
serializer, past FastAPI's second validation; one statement per write. With row-level security the
session of a request sets its tenant first, in its transaction.
"""

from __future__ import annotations

import base64
import os
import time
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import orjson
from fastapi import Depends, FastAPI, HTTPException, Query, Request, Response
from pydantic import TypeAdapter
from sqlalchemy import bindparam, func, insert, literal_column, select, text, tuple_, update
from sqlalchemy.dialects.postgresql import REGCONFIG, TSQUERY
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from bench.peers import shapes
from bench.peers.keys import Caller, Keys
from bench.peers.tables import Document, Project
from service.database.queries import load
from service.settings import Settings

SET_TENANT = text(
    "SELECT set_config('app.tenant_id', :tenant, true), set_config('app.actor', :actor, true)"
)

_IN_TENANT = (Project.tenant_id == bindparam("tenant"), Project.deleted_at.is_(None))
GET = select(Project).where(*_IN_TENANT, Project.id == bindparam("project"))
LIST = (
    select(Project)
    .where(*_IN_TENANT)
    .order_by(Project.updated_at.desc(), Project.id.desc())
    .limit(bindparam("rows"))
)
LIST_AFTER = LIST.where(
    tuple_(Project.updated_at, Project.id) < tuple_(bindparam("changed"), bindparam("last"))
)
LANGUAGE = select(Project.language).where(*_IN_TENANT, Project.id == bindparam("project"))

_CONFIG = func.workspace.text_search_config(bindparam("language"), type_=REGCONFIG)
_ASKED = func.websearch_to_tsquery(_CONFIG, bindparam("q"), type_=TSQUERY)
_VECTOR: Any = literal_column("workspace.document_versions.search")
_RANK = func.ts_rank_cd(_VECTOR, _ASKED)
SEARCH = (
    select(
        Document.id, Document.project_id, Document.document_type, Document.version,
        func.octet_length(Document.content).label("bytes"), _RANK.label("rank"),
        func.ts_headline(
            _CONFIG, func.left(Document.content, 200_000), _ASKED,
            "StartSel=<mark>, StopSel=</mark>, MaxFragments=3, MaxWords=20, MinWords=5",
        ).label("fragments"),
    )
    .where(
        Document.tenant_id == bindparam("tenant"), Document.project_id == bindparam("project"),
        Document.deleted_at.is_(None), _VECTOR.op("@@")(_ASKED),
    )
    .order_by(_RANK.desc(), Document.id.desc())
    .limit(bindparam("rows"))
)  # fmt: skip

# Nobody writes these figures in another way: the statement is the service's own.
# text() takes no :name for a parameter that a cast follows.
METRICS = text(
    load(Settings().sql_dir)["executions.metrics"].text.replace(":days::int", "CAST(:days AS int)")
)

ProjectJson = TypeAdapter(shapes.Project)
ProjectsJson = TypeAdapter(list[shapes.Project])
HitsJson = TypeAdapter(list[shapes.Hit])


def uuid7() -> UUID:
    """An id that is ordered by time, made here: so the answer need not sort what was inserted."""
    bits = int(time.time() * 1000) << 80 | int.from_bytes(os.urandom(10), "big")
    return UUID(int=bits & ~(0xF << 76) & ~(0x3 << 62) | 0x7 << 76 | 0x2 << 62)


def answer(body: bytes, status: int = 200, **headers: str) -> Response:
    """JSON bytes as they are."""
    return Response(body, status, headers, "application/json")


def shown(project: Project, status: int = 200, **headers: str) -> Response:
    """One project with its version as ETag."""
    body = ProjectJson.dump_json(ProjectJson.validate_python(project, from_attributes=True))
    return answer(body, status, etag=f'"{project.version}"', **headers)


def cursor_of(last: Project) -> str:
    """Where a page ended."""
    return base64.urlsafe_b64encode(orjson.dumps([last.updated_at, str(last.id)])).decode()


def document(made: Document) -> Response:
    """A new document version."""
    found = shapes.Document.model_construct(
        id=made.id, project_id=made.project_id, document_type=made.document_type,
        version=made.version, revision=made.revision, content_sha256=made.content_sha256.hex(),
        bytes=len(made.content.encode()), content=made.content, metadata=made.meta,
        readability_score=made.readability_score and float(made.readability_score),
        grammar_score=made.grammar_score and float(made.grammar_score),
        created_by=made.created_by, based_on=made.based_on,
        created_at=made.created_at, updated_at=made.updated_at,
    )  # fmt: skip
    return answer(
        shapes.Document.__pydantic_serializer__.to_json(found), 201,
        etag=f'"{made.revision}"', location=f"/projects/{made.project_id}/documents/{made.id}",
    )  # fmt: skip


async def caller(request: Request) -> Caller:
    """The 401, or who asks."""
    found: Caller | None = request.app.state.keys.caller(request.headers.get("authorization"))
    if found is None:
        raise HTTPException(401, headers={"WWW-Authenticate": "Bearer"})
    return found


Who = Annotated[Caller, Depends(caller)]


async def session(request: Request, who: Who) -> AsyncIterator[AsyncSession]:
    """A session, in the tenant's transaction where row-level security asks for it."""
    async with request.app.state.sessions() as db:
        if request.app.state.rls:
            await db.execute(SET_TENANT, {"tenant": str(who.tenant), "actor": who.actor})
        yield db


Db = Annotated[AsyncSession, Depends(session)]


async def ready() -> Response:
    """Serving."""
    return answer(b"{}")


async def get(project_id: UUID, who: Who, db: Db) -> Response:
    """One project."""
    found = await db.scalar(GET, {"tenant": who.tenant, "project": project_id})
    if found is None:
        raise HTTPException(404)
    return shown(found)


async def index(
    who: Who, db: Db, limit: Annotated[int, Query(ge=1, le=200)] = 50, cursor: str | None = None
) -> Response:
    """A page of projects, latest change first."""
    values: dict[str, Any] = {"tenant": who.tenant, "rows": limit + 1}
    statement = LIST
    if cursor is not None:
        changed, last = orjson.loads(base64.urlsafe_b64decode(cursor))
        values |= {"changed": datetime.fromisoformat(changed), "last": UUID(last)}
        statement = LIST_AFTER
    rows = (await db.scalars(statement, values)).all()
    page = ProjectsJson.validate_python(rows[:limit], from_attributes=True)
    following = cursor_of(rows[limit - 1]) if len(rows) > limit else None
    return answer(shapes.Projects.__pydantic_serializer__.to_json(
        shapes.Projects.model_construct(items=page, next_cursor=following)))  # fmt: skip


async def add(body: shapes.ProjectCreate, who: Who, db: Db) -> Response:
    """A new project."""
    made = Project(
        tenant_id=who.tenant, name=body.name, language=body.language, status=body.status,
        current_step=body.current_step, meta=body.metadata, created_by=body.created_by,
    )  # fmt: skip
    db.add(made)
    await db.flush()
    await db.commit()
    return shown(made, 201, location=f"/projects/{made.id}")


async def add_many(body: list[shapes.ProjectCreate], who: Who, db: Db) -> Response:
    """Many projects, all or nothing."""
    rows = [
        {"id": uuid7(), "tenant_id": who.tenant, "name": item.name, "language": item.language,
         "status": item.status, "current_step": item.current_step, "meta": item.metadata,
         "created_by": item.created_by}
        for item in body
    ]  # fmt: skip
    # RETURNING is what makes SQLAlchemy insert all rows by one statement
    (await db.scalars(insert(Project).returning(Project.id), rows)).all()
    await db.commit()
    return answer(orjson.dumps({"ids": [row["id"] for row in rows]}), 201)


async def change(
    project_id: UUID, body: shapes.ProjectUpdate, request: Request, who: Who, db: Db
) -> Response:
    """Change a project that still has the version of If-Match."""
    expected = request.headers.get("if-match")
    if expected is None:
        raise HTTPException(428)
    values = body.model_dump(exclude_unset=True)
    if "metadata" in values:
        values["meta"] = values.pop("metadata")
    made = await db.scalar(
        update(Project)
        .where(*_IN_TENANT, Project.id == bindparam("project"),
               Project.version == int(expected.strip('"')))
        .values(**values)
        .returning(Project)
        .execution_options(synchronize_session=False),
        {"tenant": who.tenant, "project": project_id},
    )  # fmt: skip
    if made is None:
        known = await db.scalar(GET, {"tenant": who.tenant, "project": project_id})
        raise HTTPException(404 if known is None else 412)
    await db.commit()
    return shown(made)


async def add_document(project_id: UUID, body: shapes.DocumentCreate, who: Who, db: Db) -> Response:
    """The next version of a document."""
    found = {"tenant": who.tenant, "project": project_id}
    if await db.scalar(LANGUAGE, found) is None:
        raise HTTPException(404)
    made = Document(
        tenant_id=who.tenant, project_id=project_id, document_type=body.document_type,
        content=body.content, meta=body.metadata, readability_score=body.readability_score,
        grammar_score=body.grammar_score, created_by=body.created_by,
    )  # fmt: skip
    db.add(made)
    await db.flush()
    await db.commit()
    return document(made)


async def search(project_id: UUID, q: str, who: Who, db: Db, limit: int = 50) -> Response:
    """Documents of a project that match."""
    values: dict[str, Any] = {"tenant": who.tenant, "project": project_id}
    language = await db.scalar(LANGUAGE, values)
    if language is None:
        raise HTTPException(404)
    values |= {"language": language, "q": q, "rows": limit + 1}
    rows = (await db.execute(SEARCH, values)).all()
    hits = HitsJson.validate_python(rows[:limit], from_attributes=True)
    return answer(shapes.Hits.__pydantic_serializer__.to_json(
        shapes.Hits.model_construct(items=hits, next_cursor=None)))  # fmt: skip


async def metrics(
    project_id: UUID, who: Who, db: Db, days: Annotated[int, Query(ge=1, le=365)] = 30
) -> Response:
    """What became of a project's executions."""
    values = {"tenant_id": who.tenant, "project_id": project_id, "days": days}
    found = (await db.execute(METRICS, values)).one_or_none()
    if found is None:
        raise HTTPException(404)
    made = shapes.Metrics.model_validate(found, from_attributes=True)
    return answer(shapes.Metrics.__pydantic_serializer__.to_json(made))


_ONE, _DOCUMENTS = "/projects/{project_id}", "/projects/{project_id}/documents"
ROUTES = (
    ("GET", "/ready", ready),
    ("GET", "/projects", index),
    ("POST", "/projects", add),
    ("POST", "/projects/bulk", add_many),
    ("GET", _ONE, get),
    ("PUT", _ONE, change),
    ("POST", _DOCUMENTS, add_document),
    ("GET", _DOCUMENTS + "/search", search),
    ("GET", _ONE + "/agents/metrics", metrics),
)


def create(dsn: str, keys: Keys, *, rls: bool) -> FastAPI:
    """The application."""
    app = FastAPI(openapi_url=None)
    engine = create_async_engine(
        dsn.replace("postgresql:", "postgresql+asyncpg:"), pool_size=20, max_overflow=0,
        json_serializer=lambda value: orjson.dumps(value).decode(), json_deserializer=orjson.loads,
    )  # fmt: skip
    app.state.keys, app.state.rls = keys, rls
    app.state.sessions = async_sessionmaker(engine, expire_on_commit=False)
    for method, path, handler in ROUTES:
        app.add_api_route(path, handler, methods=[method])  # a router between costs time
    return app
