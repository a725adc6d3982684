"""Documents: versions that are numbered without gaps and never change."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any
from uuid import UUID

import orjson
from msgspec import UNSET, Meta, UnsetType
from starlette.requests import Request
from starlette.responses import Response

from service.database.tree import sql
from service.http.answers import created, entity, expected_version, json_answer, no_content
from service.http.context import principal, session
from service.http.inputs import (
    Body,
    JsonObject,
    body,
    flag,
    given,
    identifier,
    one_of,
    path_uuid,
    query,
    text,
)  # fmt: skip
from service.http.paging import PAGING, TOTAL, listing
from service.http.problems import Problem, invalid, refused
from service.http.routing import Endpoint
from service.resources.diff import unified
from service.resources.projects import creator

READ, WRITE = "projects:read", "projects:write"

Type = Annotated[str, Meta(min_length=1, max_length=50)]
Content = Annotated[str, Meta(min_length=1, max_length=1024 * 1024)]
Score = Annotated[float, Meta(ge=0, le=100)]


class DocumentCreate(Body):
    """The next version of a type. `content` has at most 1 MiB in UTF-8."""

    document_type: Type
    content: Content
    metadata: JsonObject | UnsetType = UNSET
    readability_score: Score | UnsetType = UNSET
    grammar_score: Score | UnsetType = UNSET
    created_by: UUID | UnsetType = UNSET


class DocumentRevise(Body):
    """A new version made from another; what is left out is carried over."""

    content: Content | UnsetType = UNSET
    metadata: JsonObject | UnsetType = UNSET
    readability_score: Score | UnsetType = UNSET
    grammar_score: Score | UnsetType = UNSET
    created_by: UUID | UnsetType = UNSET


class DocumentAnnotate(Body):
    """A later quality check: metadata and scores, never content."""

    metadata: JsonObject | UnsetType = UNSET
    readability_score: Score | UnsetType = UNSET
    grammar_score: Score | UnsetType = UNSET


def _location(request: Request) -> str:
    return f"/projects/{request.path_params['project_id']}/documents"


async def create(request: Request) -> Response:
    """The next version of a document type."""
    values = given(await body(request, DocumentCreate))
    values["created_by"] = creator(principal(request), values["created_by"])
    project_id = path_uuid(request)
    async with session(request) as db:
        row = await db.one(sql.documents.create, project_id=project_id, **values)
        if row is None and await db.value(sql.projects.version, project_id=project_id) is not None:
            raise refused("foreign_key", "document_versions_created_by_fkey")
        return created(row, _location(request))


async def get(request: Request) -> Response:
    """One version with its content."""
    project_id, document_id = path_uuid(request), path_uuid(request, "document_id")
    async with session(request) as db:
        return entity(
            await db.one(sql.documents.get, project_id=project_id, document_id=document_id), request
        )


async def latest(request: Request) -> Response:
    """The highest live version of a type."""
    asked = query(request)
    async with session(request) as db:
        row = await db.one(
            sql.documents.latest, project_id=path_uuid(request),
            document_type=asked["document_type"],
        )  # fmt: skip
        return entity(row, request)


async def index(request: Request) -> Response:
    """The live versions, by type, newest first."""
    asked, project_id = query(request), path_uuid(request)
    await require_project(request, project_id)
    name = sql.documents.list_full if asked["include"] == "content" else sql.documents.list
    return await listing(
        request, name, sql.documents.count, project_id=project_id,
        document_type=asked["document_type"], latest_only=asked["latest_only"],
    )  # fmt: skip


async def search(request: Request) -> Response:
    """Ranked full-text search with fragments."""
    asked, project_id = query(request), path_uuid(request)
    await require_project(request, project_id)
    return await listing(
        request, sql.documents.search, sql.documents.search_count,
        project_id=project_id, q=asked["q"],
        document_type=asked["document_type"], latest_only=asked["latest_only"],
    )  # fmt: skip


async def require_project(request: Request, project_id: Any) -> None:
    """404 unless the project is live: an empty list would say that it is."""
    async with session(request) as db:
        if await db.value(sql.projects.version, project_id=project_id) is None:
            raise Problem("not_found")


async def revise(request: Request) -> Response:
    """A new version made from the newest one, whose ETag If-Match names."""
    expected = expected_version(request)
    values = given(await body(request, DocumentRevise))
    values["created_by"] = creator(principal(request), values["created_by"])
    project_id, document_id = path_uuid(request), path_uuid(request, "document_id")
    async with session(request) as db:
        row = await db.one(
            sql.documents.revise, project_id=project_id, document_id=document_id,
            expected_revision=expected, **values,
        )  # fmt: skip
        if row is None:
            raise await _why_not_revised(db, project_id, document_id, values["created_by"])
        return created(row, _location(request))


async def _why_not_revised(db: Any, project_id: Any, document_id: Any, creator_id: Any) -> Problem:
    problem = await _missing_or_stale(db, project_id, document_id)
    if problem.code == "not_found" or creator_id is None:
        return problem
    if await db.one(sql.users.get, user_id=creator_id) is not None:
        return problem
    return refused("foreign_key", "document_versions_created_by_fkey")


async def annotate(request: Request) -> Response:
    """Metadata and scores of a version, in place."""
    expected = expected_version(request)
    values = given(await body(request, DocumentAnnotate))
    project_id, document_id = path_uuid(request), path_uuid(request, "document_id")
    async with session(request) as db:
        row = await db.one(
            sql.documents.annotate, project_id=project_id, document_id=document_id,
            expected_revision=expected, **values,
        )  # fmt: skip
        if row is None:
            raise await _missing_or_stale(db, project_id, document_id)
        return entity(row, request)


async def restore(request: Request) -> Response:
    """An older version becomes the newest again, as a new version."""
    project_id, document_id = path_uuid(request), path_uuid(request, "document_id")
    async with session(request) as db:
        row = await db.one(
            sql.documents.restore, project_id=project_id, document_id=document_id,
            created_by=creator(principal(request), None),
        )  # fmt: skip
        return created(row, _location(request))


async def delete(request: Request) -> Response:
    """Soft delete; the number stays taken."""
    expected = expected_version(request)
    project_id, document_id = path_uuid(request), path_uuid(request, "document_id")
    async with session(request) as db:
        if not await db.execute(
            sql.documents.delete, project_id=project_id, document_id=document_id,
            expected_revision=expected,
        ):  # fmt: skip
            raise await _missing_or_stale(db, project_id, document_id)
    return no_content()


async def _missing_or_stale(db: Any, project_id: Any, document_id: Any) -> Problem:
    found = await db.value(sql.documents.revision, project_id=project_id, document_id=document_id)
    return Problem("not_found" if found is None else "stale_etag")


async def diff(request: Request) -> Response:
    """What changed between two versions of a type, as a unified diff."""
    asked = query(request)
    project_id, document_id = path_uuid(request), path_uuid(request, "document_id")
    async with session(request) as db:
        pair = orjson.loads(
            await db.many(
                sql.documents.pair,
                project_id=project_id,
                document_id=document_id,
                against=asked["against"],
            )
        )
    target = next((side for side in pair if side["is_target"]), None)
    other = next((side for side in pair if not side["is_target"]), None)
    if target is None:
        raise Problem("not_found")
    if other is None and asked["against"] is not None:
        raise invalid("query:against", "foreign_key", "no such version of the same type")
    before = ("/dev/null", "") if other is None else (f"v{other['version']}", other["content"])
    text_diff = await asyncio.to_thread(
        unified, before, (f"v{target['version']}", target["content"])
    )
    return json_answer({"from": other and other["id"], "to": target["id"], "diff": text_diff})


_DIFF_SCHEMA = {
    "type": "object",
    "required": ["from", "to", "diff"],
    "properties": {
        "from": {"type": ["string", "null"], "format": "uuid"},
        "to": {"type": "string", "format": "uuid"},
        "diff": {"type": "string", "description": "Unified diff; empty when nothing differs."},
    },
}
_TYPE = {"document_type": text("Only this type.", most=50)}
_LATEST = {"latest_only": flag("Only the highest live version of each type.")}
_ALL = "/projects/{project_id}/documents"
_ONE = _ALL + "/{document_id}"
ENDPOINTS = [
    Endpoint("POST", _ALL, create, WRITE, "Add the next version of a document type", "documents",
             201, "documents.create", DocumentCreate, etag=True, problems=("foreign_key",)),
    Endpoint("GET", _ALL, index, READ, "List document versions", "documents",
             answers="documents.list_full",
             query=_TYPE | _LATEST
             | {"include": one_of("Also give this.", "content")} | PAGING | TOTAL),
    Endpoint("GET", _ALL + "/latest", latest, READ, "The highest version of a type", "documents",
             answers="documents.latest", etag=True,
             query={"document_type": text("The type.", most=50, required=True)}),
    Endpoint("GET", _ALL + "/search", search, READ, "Search documents", "documents",
             answers="documents.search",
             query={"q": text("What to look for.", required=True)} | _TYPE | _LATEST
             | PAGING | TOTAL),
    Endpoint("GET", _ONE, get, READ, "One document version", "documents",
             answers="documents.get", etag=True),
    Endpoint("PUT", _ONE, revise, WRITE, "Make a new version from the newest one", "documents", 201,
             "documents.revise", DocumentRevise, precondition=True, etag=True,
             problems=("foreign_key",)),
    Endpoint("PATCH", _ONE, annotate, WRITE, "Change metadata and scores of a version", "documents",
             200, "documents.annotate", DocumentAnnotate, precondition=True, etag=True),
    Endpoint("DELETE", _ONE, delete, WRITE, "Delete a version softly", "documents", 204,
             precondition=True),
    Endpoint("GET", _ONE + "/diff", diff, READ, "What changed between two versions", "documents",
             query={"against": identifier("The other version; the previous one when absent.")},
             schema=_DIFF_SCHEMA),
    Endpoint("POST", _ONE + "/restore", restore, WRITE, "Make an older version the newest again",
             "documents", 201, "documents.restore", etag=True),
]  # fmt: skip
