"""Conversations of a user with an assistant."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from msgspec import UNSET, Meta, UnsetType
from starlette.requests import Request
from starlette.responses import Response

from service.database.session import Row
from service.database.tree import sql
from service.http.answers import created, entity, expected_version, no_content
from service.http.context import session
from service.http.inputs import (
    Body,
    JsonObject,
    body,
    either,
    flag,
    given,
    number,
    one_of,
    path_uuid,
    query,
    text,
)  # fmt: skip
from service.http.paging import PAGING, TOTAL, listing
from service.http.problems import Problem, invalid
from service.http.routing import Endpoint
from service.resources.cached import kept_entity
from service.resources.owners import READ, USER, WRITE, no_such_user, owner, user_of
from service.resources.stored import remove_content

Title = Annotated[str, Meta(min_length=1, max_length=255)]
Template = Annotated[str, Meta(min_length=1, max_length=100)]
Tags = Annotated[list[Annotated[str, Meta(min_length=1, max_length=64)]], Meta(max_length=32)]


class ConversationCreate(Body):
    """A new conversation. A key that is bound to a user may leave `user_id` out."""

    user_id: UUID | UnsetType = UNSET
    title: Title | UnsetType = UNSET
    template: Template | UnsetType = UNSET
    tags: Tags | UnsetType = UNSET
    metadata: JsonObject | UnsetType = UNSET


class ConversationUpdate(Body):
    """What changes; what is left out stays."""

    title: Title | UnsetType = UNSET
    template: Template | UnsetType = UNSET
    tags: Tags | UnsetType = UNSET
    metadata: JsonObject | UnsetType = UNSET
    is_pinned: bool | UnsetType = UNSET
    is_archived: bool | UnsetType = UNSET


class ConversationBranch(Body):
    """Where a child conversation parts from its parent."""

    at_seq: Annotated[int, Meta(ge=1, le=2_147_483_647)]
    title: Title | UnsetType = UNSET


def conversation(request: Request) -> dict[str, Any]:
    """Which conversation a path names, and whose it must be, as query parameters."""
    return {"conversation_id": path_uuid(request, "conversation_id"), "owner_id": owner(request)}


async def create(request: Request) -> Response:
    """A new conversation."""
    values = given(await body(request, ConversationCreate))
    values["user_id"] = user_of(request, values["user_id"])
    async with session(request) as db:
        row = await db.one(sql.conversations.create, **values)
        if row is None:
            raise no_such_user()
        return created(row, "/conversations")


async def get(request: Request) -> Response:
    """One conversation; with `include=messages` also its newest ones, oldest first."""
    asked, found = query(request), conversation(request)

    async def read() -> Row | None:
        async with session(request) as db:
            if asked["include"] is None:
                return await db.one(sql.conversations.get, **found)
            return await db.one(
                sql.conversations.get_full, **found, message_limit=asked["message_limit"]
            )

    return await kept_entity(
        request, "conversation" if asked["include"] is None else "page",
        found["conversation_id"], sql.conversations.generation, found, read,
    )  # fmt: skip


async def index(request: Request) -> Response:
    """A user's conversations, pinned first, then last activity."""
    asked = query(request)
    return await listing(
        request, sql.conversations.list, sql.conversations.count,
        user_id=user_of(request, asked["user_id"]), archived=asked["archived"],
        pinned=asked["pinned"], tag=asked["tag"], q=asked["q"],
    )  # fmt: skip


async def update(request: Request) -> Response:
    """Rename, tag, pin, unpin, archive, unarchive: the version of If-Match."""
    expected = expected_version(request)
    changes = given(await body(request, ConversationUpdate))
    found = conversation(request)
    async with session(request) as db:
        row = await db.one(
            sql.conversations.update, **found, expected_version=expected, **changes
        )  # fmt: skip
        if row is None:
            raise await _missing_or_stale(db, found)
        return entity(row, request)


async def delete(request: Request) -> Response:
    """Soft delete of the version of If-Match; `purge=true` removes all of it for good."""
    expected = expected_version(request)
    found, purge = conversation(request), query(request)["purge"]
    if purge:
        return await _purge(request, found, expected)
    async with session(request) as db:
        if not await db.execute(sql.conversations.delete, **found, expected_version=expected):
            raise await _missing_or_stale(db, found)
    return no_content()


async def _purge(request: Request, found: dict[str, Any], expected: int | None) -> Response:
    """Rows first, then what lies on the disk of them."""
    async with session(request) as db, db.transaction():
        files = await db.fetch(sql.files.purge_of_conversation, **found)
        if not await db.execute(sql.conversations.purge, **found, expected_version=expected):
            raise await _missing_or_stale(db, found, deleted_too=True)
    await remove_content(request, files)
    return no_content()


async def _missing_or_stale(
    db: Any, found: dict[str, Any], *, deleted_too: bool = False
) -> Problem:
    name = sql.conversations.version_of_any if deleted_too else sql.conversations.version
    return Problem("not_found" if await db.value(name, **found) is None else "stale_etag")


async def restore(request: Request) -> Response:
    """Bring a softly deleted conversation back; 409 when it is live."""
    found = conversation(request)
    async with session(request) as db:
        row = await db.one(sql.conversations.restore, **found)
        if row is None:
            if await db.value(sql.conversations.version, **found) is None:
                raise Problem("not_found")
            raise Problem("conflict", "The conversation is not deleted.")
        return entity(row, request)


async def branch(request: Request) -> Response:
    """A child conversation with the active messages up to `at_seq`."""
    values = given(await body(request, ConversationBranch))
    found = conversation(request)
    async with session(request) as db:
        row = await db.one(sql.conversations.branch, **found, **values)
        if row is None and await db.value(sql.conversations.version, **found) is not None:
            raise invalid("/at_seq", "invalid", "there is no such message")
        return created(row, "/conversations")


async def context(request: Request) -> Response:
    """What a model needs next: newest messages that fit, and the memories that match best."""
    asked = query(request)
    async with session(request) as db:
        row = await db.one(
            sql.conversations.context, **conversation(request),
            max_tokens=asked["max_tokens"], max_messages=asked["max_messages"],
        )  # fmt: skip
        return entity(row, request)


_FILTERS = {
    "archived": either("Only archived ones, or only others."),
    "pinned": either("Only pinned ones, or only others."),
    "tag": text("Only with this tag.", most=64),
    "q": text("Part of the title; case and accents do not matter."),
}
_INCLUDE = {
    "include": one_of("Also give this.", "messages"),
    "message_limit": number("The newest so many messages.", 1, 200, 50),
}
_ALL, _ONE = "/conversations", "/conversations/{conversation_id}"
_BUDGET = {
    "max_tokens": number("The messages together.", 0, 2_147_483_647),
    "max_messages": number("The newest so many at most.", 1, 500, 50),
}
_PURGE = {"purge": flag("Remove it with its messages and files for good.")}
ENDPOINTS = [
    Endpoint("POST", _ALL, create, WRITE, "Begin a conversation", "conversations", 201,
             "conversations.create", ConversationCreate, etag=True, problems=("foreign_key",)),
    Endpoint("GET", _ALL, index, READ, "List a user's conversations", "conversations",
             answers="conversations.list", query=USER | _FILTERS | PAGING | TOTAL),
    Endpoint("GET", _ONE, get, READ, "One conversation", "conversations",
             answers="conversations.get_full", query=_INCLUDE, etag=True),
    Endpoint("PATCH", _ONE, update, WRITE, "Rename, tag, pin or archive a conversation",
             "conversations", 200, "conversations.update", ConversationUpdate,
             precondition=True, etag=True),
    Endpoint("DELETE", _ONE, delete, WRITE, "Delete a conversation softly, or for good",
             "conversations", 204, query=_PURGE, precondition=True),
    Endpoint("POST", _ONE + "/restore", restore, WRITE, "Bring a deleted conversation back",
             "conversations", 200, "conversations.restore", etag=True, problems=("conflict",)),
    Endpoint("POST", _ONE + "/branch", branch, WRITE, "Branch a conversation at a message",
             "conversations", 201, "conversations.branch", ConversationBranch, etag=True),
    Endpoint("GET", _ONE + "/context", context, READ, "What a model needs next", "conversations",
             answers="conversations.context", query=_BUDGET),
]  # fmt: skip
