"""Memories: what an assistant keeps about a user."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from msgspec import UNSET, Meta, UnsetType
from starlette.requests import Request
from starlette.responses import Response

from service.database.tree import sql
from service.http.answers import created, entity, expected_version, no_content
from service.http.coding import NDJSON, accepts
from service.http.context import context, session
from service.http.inputs import (
    Body,
    JsonObject,
    body,
    given,
    number,
    path_uuid,
    query,
    text,
)  # fmt: skip
from service.http.paging import PAGING, listing
from service.http.problems import FieldError, Problem
from service.http.routing import Endpoint
from service.resources.cached import generation_of, kept
from service.resources.conversations import Tags
from service.resources.owners import READ, USER, WRITE, no_such_user, owner, user_of

_MOST_BYTES = 32 * 1024

Text = Annotated[str, Meta(min_length=1, max_length=_MOST_BYTES)]
Importance = Annotated[int, Meta(ge=1, le=10)]
Moment = Annotated[datetime, Meta(tz=True)]


class MemoryCreate(Body):
    """A new memory. Question and answer have at most 32 KiB each in UTF-8.

    A key that is bound to a user may leave `user_id` out.
    """

    question: Text
    answer: Text
    user_id: UUID | UnsetType = UNSET
    conversation_id: UUID | UnsetType = UNSET
    importance: Importance | UnsetType = UNSET
    tags: Tags | UnsetType = UNSET
    metadata: JsonObject | UnsetType = UNSET
    expires_at: Moment | UnsetType = UNSET


class MemoryUpdate(Body):
    """What changes; what is left out stays. `used` counts a use that an assistant made of it."""

    question: Text | UnsetType = UNSET
    answer: Text | UnsetType = UNSET
    importance: Importance | UnsetType = UNSET
    tags: Tags | UnsetType = UNSET
    metadata: JsonObject | UnsetType = UNSET
    expires_at: Moment | UnsetType | None = UNSET
    used: bool = False


def _memory(request: Request) -> dict[str, Any]:
    return {"memory_id": path_uuid(request, "memory_id"), "owner_id": owner(request)}


def _fit(values: dict[str, Any]) -> None:
    """What the types cannot say: lengths in bytes, and years that PostgreSQL's times have not."""
    errors = [
        FieldError(f"/{name}", "invalid", "at most 32 KiB in UTF-8")
        for name in ("question", "answer")
        if values[name] is not None and len(values[name].encode()) > _MOST_BYTES
    ]
    if values["expires_at"] is not None and not 1 < values["expires_at"].year < 9999:
        errors.append(FieldError("/expires_at", "invalid", "a year from 2 to 9998"))
    if errors:
        raise Problem("validation", errors=errors)


async def create(request: Request) -> Response:
    """A new memory."""
    values = given(await body(request, MemoryCreate))
    _fit(values)
    values["user_id"] = user_of(request, values["user_id"])
    async with session(request) as db:
        row = await db.one(sql.memories.create, **values)
        if row is None:
            raise no_such_user()
        return created(row, "/memories")


async def get(request: Request) -> Response:
    """One memory; 404 once it has expired."""
    async with session(request) as db:
        return entity(await db.one(sql.memories.get, **_memory(request)), request)


async def index(request: Request) -> Response:
    """With `q` the best match first, else importance, then newest."""
    asked = query(request)
    filters = {
        "user_id": user_of(request, asked["user_id"]),
        "tag": asked["tag"],
        "min_importance": asked["min_importance"],
    }
    if asked["q"] is None:
        return await listing(request, sql.memories.list, **filters)
    search = {**filters, "q": asked["q"]}
    if accepts(context(request).headers.get(b"accept", b""), NDJSON):
        return await listing(request, sql.memories.list_full, **search)
    return await kept(
        request, "search", filters["user_id"],
        await generation_of(request, sql.memories.generation, user_id=filters["user_id"]),
        lambda: listing(request, sql.memories.list_full, **search),
    )  # fmt: skip


async def update(request: Request) -> Response:
    """Change a memory that still has the version of If-Match, or note its use."""
    expected = expected_version(request)
    changes = await body(request, MemoryUpdate)
    values = given(changes)
    _fit(values)
    async with session(request) as db:
        row = await db.one(
            sql.memories.update, **_memory(request), expected_version=expected,
            set_expiry=changes.expires_at is not UNSET, **values,
        )  # fmt: skip
        if row is None:
            raise await _missing_or_stale(db, request)
        return entity(row, request)


async def delete(request: Request) -> Response:
    """Remove a memory that still has the version of If-Match, for good."""
    expected = expected_version(request)
    async with session(request) as db:
        if not await db.execute(
            sql.memories.delete, **_memory(request), expected_version=expected
        ):  # fmt: skip
            raise await _missing_or_stale(db, request)
    return no_content()


async def _missing_or_stale(db: Any, request: Request) -> Problem:
    found = await db.value(sql.memories.version, **_memory(request))
    return Problem("not_found" if found is None else "stale_etag")


_FILTERS = {
    "q": text("Words that must all be there; case, accents and small misspellings do not matter."),
    "tag": text("Only with this tag.", most=64),
    "min_importance": number("Only at least so important.", 1, 10),
}
_ONE = "/memories/{memory_id}"
ENDPOINTS = [
    Endpoint("POST", "/memories", create, WRITE, "Keep a memory", "memories", 201,
             "memories.create", MemoryCreate, etag=True, problems=("foreign_key",)),
    Endpoint("GET", "/memories", index, READ, "List or search a user's memories", "memories",
             answers="memories.list_full", query=USER | _FILTERS | PAGING),
    Endpoint("GET", _ONE, get, READ, "One memory", "memories", answers="memories.get", etag=True),
    Endpoint("PATCH", _ONE, update, WRITE, "Change a memory, or note its use", "memories", 200,
             "memories.update", MemoryUpdate, precondition=True, etag=True),
    Endpoint("DELETE", _ONE, delete, WRITE, "Remove a memory for good", "memories", 204,
             precondition=True),
]  # fmt: skip
