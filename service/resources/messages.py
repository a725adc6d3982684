"""Messages: numbered without gaps; an edit is another variant and overwrites nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal
from uuid import UUID

from msgspec import UNSET, Meta, UnsetType
from starlette.requests import Request
from starlette.responses import Response

from service.database.session import Row, Session
from service.database.tree import sql
from service.http.answers import Answer, entity
from service.http.coding import NDJSON, accepts
from service.http.context import context, session
from service.http.inputs import (
    Body,
    JsonObject,
    body,
    decode,
    flag,
    items,
    number,
    path_number,
    query,
    raw_body,
    text,
)  # fmt: skip
from service.http.paging import PAGING, listing
from service.http.problems import FieldError, Problem
from service.http.routing import Endpoint
from service.resources.cached import generation_of, kept
from service.resources.conversations import conversation
from service.resources.owners import READ, USER, WRITE, user_of

MOST = 500
_MOST_BYTES = 1024 * 1024
_SEQ = re.compile(rb'"seq":\s*(\d+)')

Content = Annotated[str, Meta(max_length=_MOST_BYTES)]
Model = Annotated[str, Meta(min_length=1, max_length=255)]
Files = Annotated[list[UUID], Meta(max_length=100)]
Tokens = Annotated[int, Meta(ge=0, le=2_147_483_647)]
Variant = Annotated[int, Meta(ge=1, le=2_147_483_647)]


class MessageAppend(Body):
    """A message. `content` has at most 1 MiB in UTF-8 and may be empty only beside `tool_calls`."""

    role: Literal["system", "user", "assistant", "tool"]
    content: Content = ""
    model: Model | UnsetType | None = UNSET
    tool_calls: list[Any] | UnsetType | None = UNSET
    tool_results: list[Any] | UnsetType | None = UNSET
    images: list[Any] | UnsetType | None = UNSET
    files: Files | UnsetType = UNSET
    metadata: JsonObject | UnsetType = UNSET
    token_count: Tokens | UnsetType | None = UNSET


class MessageEdit(Body):
    """Another variant; what is left out is taken over, but for the token count."""

    content: Content | UnsetType = UNSET
    model: Model | UnsetType = UNSET
    tool_calls: list[Any] | UnsetType = UNSET
    tool_results: list[Any] | UnsetType = UNSET
    images: list[Any] | UnsetType = UNSET
    files: Files | UnsetType = UNSET
    metadata: JsonObject | UnsetType = UNSET
    token_count: Tokens | UnsetType = UNSET


class MessageRegenerate(Body):
    """What the model wrote this time; nothing is taken over but the role."""

    content: Content = ""
    model: Model | UnsetType = UNSET
    tool_calls: list[Any] | UnsetType = UNSET
    tool_results: list[Any] | UnsetType = UNSET
    images: list[Any] | UnsetType = UNSET
    files: Files | UnsetType = UNSET
    metadata: JsonObject | UnsetType = UNSET
    token_count: Tokens | UnsetType = UNSET


class MessageChoose(Body):
    """The variant to be shown."""

    variant: Variant


async def append(request: Request) -> Response:
    """One message from an object, or up to 500 from an array: all or nothing."""
    data = await raw_body(request)
    if data.lstrip()[:1] == b"[":
        return await _append_many(request, data)
    message = decode(data, MessageAppend)
    _fit([message], lambda _: "")
    found = conversation(request)
    async with session(request) as db:
        await _require_files(db, found, [message])
        return _written(await db.one(sql.messages.append, **found, items=b"[" + data + b"]"), found)


async def append_many(request: Request) -> Response:
    """Up to 500 messages, all or nothing, numbered in their order."""
    return await _append_many(request, await raw_body(request))


async def _append_many(request: Request, data: bytes) -> Response:
    messages = items(decode(data, list[MessageAppend]), MOST)
    _fit(messages, lambda index: f"/{index}")
    found = conversation(request)
    async with session(request) as db:
        await _require_files(db, found, messages)
        made = await db.one(sql.messages.append_many, **found, items=data)
    if made is None:
        raise Problem("not_found")
    return Answer(made.body, 201)


async def _require_files(db: Session, found: dict[str, Any], messages: Sequence[Any]) -> None:
    """Every file that a message names is a live one of the conversation's user."""
    ids = {file_id for message in messages for file_id in message.files or ()}
    if not ids:
        return
    if await db.value(sql.conversations.version, **found) is None:
        raise Problem("not_found")
    if await db.value(
        sql.files.missing, conversation_id=found["conversation_id"], ids=sorted(ids)
    ):  # fmt: skip
        raise Problem(
            "foreign_key", errors=[FieldError("/files", "foreign_key", "the user has no such file")]
        )


def _fit(found: list[MessageAppend], place: Any) -> None:
    """What the types cannot say, of all messages at once."""
    errors = [
        FieldError(f"{place(index)}/content", "invalid", "may be empty only beside tool_calls")
        for index, item in enumerate(found)
        if not item.content and not item.tool_calls
    ] + [
        FieldError(f"{place(index)}/content", "invalid", "at most 1 MiB in UTF-8")
        for index, item in enumerate(found)
        if len(item.content) * 4 > _MOST_BYTES and len(item.content.encode()) > _MOST_BYTES
    ]
    if errors:
        raise Problem("validation", errors=errors[:100])


def _written(row: Row | None, found: dict[str, Any]) -> Response:
    """201 with the message's place."""
    if row is None:
        raise Problem("not_found")
    seq = _SEQ.search(row.body)
    assert seq is not None  # noqa: S101  (every message has one)
    location = f"/conversations/{found['conversation_id']}/messages/".encode() + seq[1]
    return Answer(row.body, 201, [(b"location", location)])


async def get(request: Request) -> Response:
    """The active variant of a message."""
    found, seq = conversation(request), path_number(request, "seq")
    async with session(request) as db:
        return entity(await db.one(sql.messages.get, **found, seq=seq), request)


async def index(request: Request) -> Response:
    """The active messages in order; with `before_seq` alone, the newest before that one."""
    asked, found = query(request), conversation(request)
    if accepts(context(request).headers.get(b"accept", b""), NDJSON):
        await generation_of(request, sql.conversations.generation, **found)
        return await _page(request, asked, found["conversation_id"])
    return await kept(
        request, "page", found["conversation_id"],
        await generation_of(request, sql.conversations.generation, **found),
        lambda: _page(request, asked, found["conversation_id"]),
    )  # fmt: skip


async def _page(request: Request, asked: dict[str, Any], conversation_id: Any) -> Response:
    behind, before = asked["after_seq"], asked["before_seq"]
    if before is not None and behind is None and asked["cursor"] is None:
        async with session(request) as db:
            page = await db.many(
                sql.messages.list_before, conversation_id=conversation_id, before=before,
                most=asked["limit"],
            )  # fmt: skip
        return Answer(b'{"items": ' + page + b', "next_cursor": null}')
    return await listing(
        request, sql.messages.list, conversation_id=conversation_id, behind=behind, before=before
    )


async def variants(request: Request) -> Response:
    """All variants of a message, as they were made."""
    found, seq = conversation(request), path_number(request, "seq")
    async with session(request) as db:
        if await db.one(sql.messages.get, **found, seq=seq) is None:
            raise Problem("not_found")
    return await listing(
        request, sql.messages.variants, conversation_id=found["conversation_id"], seq=seq
    )


async def edit(request: Request) -> Response:
    """Another variant, made active; the old one stays, and later messages unless truncate=true."""
    changes = await body(request, MessageEdit)
    return entity(
        await _vary(request, changes, truncate=query(request)["truncate"], carry=True), request
    )


async def regenerate(request: Request) -> Response:
    """Another variant of what the assistant wrote, made active; the content is the caller's."""
    changes = await body(request, MessageRegenerate)
    row = await _vary(request, changes, only_role="assistant", truncate=False, carry=False)
    return _written(row, conversation(request))


async def _vary(request: Request, given: Any, **how: Any) -> Row | None:
    """Store a variant. PostgreSQL takes the body apart itself, so that its numbers stay exact."""
    found, seq = conversation(request), path_number(request, "seq")
    changes = await raw_body(request)
    async with session(request) as db, db.transaction():
        count = await db.value(sql.conversations.lock, **found)
        if count is None or seq > count:
            raise Problem("not_found")
        await _require_files(db, found, [given])
        row = await db.one(
            sql.messages.edit, conversation_id=found["conversation_id"], seq=seq, changes=changes,
            **how,
        )  # fmt: skip
        if row is None:
            raise Problem("conflict", "Only what the assistant wrote is generated again.")
        return row


async def choose(request: Request) -> Response:
    """Make a variant the active one."""
    wanted = await body(request, MessageChoose)
    found, seq = conversation(request), path_number(request, "seq")
    async with session(request) as db, db.transaction():
        count = await db.value(sql.conversations.lock, **found)
        if count is None or seq > count:
            raise Problem("not_found")
        row = await db.one(
            sql.messages.choose, conversation_id=found["conversation_id"], seq=seq,
            variant=wanted.variant,
        )  # fmt: skip
        if row is None:
            error = FieldError("/variant", "invalid", "there is no such variant")
            raise Problem("validation", errors=[error])
        return entity(row, request)


async def search(request: Request) -> Response:
    """Ranked full-text search in all of a user's messages, with fragments."""
    asked = query(request)
    return await listing(
        request, sql.messages.search, user_id=user_of(request, asked["user_id"]), q=asked["q"]
    )


_SEQS = {
    "before_seq": number("Only messages before this one.", 1, 2_147_483_647),
    "after_seq": number("Only messages after this one.", 0, 2_147_483_647),
}
_ALL = "/conversations/{conversation_id}/messages"
_ONE = _ALL + "/{seq}"
_TRUNCATE = {"truncate": flag("Later messages go for good.")}
ENDPOINTS = [
    Endpoint("POST", _ALL, append, WRITE, "Append a message, or many from an array", "messages",
             201, "messages.append", MessageAppend, problems=("foreign_key",)),
    Endpoint("POST", _ALL + "/bulk", append_many, WRITE, "Append many messages, all or nothing",
             "messages", 201, "messages.append_many", list[MessageAppend],
             problems=("foreign_key",), most_items=MOST),
    Endpoint("GET", _ALL, index, READ, "List messages", "messages", answers="messages.list",
             query=_SEQS | PAGING),
    Endpoint("GET", _ONE, get, READ, "One message", "messages", answers="messages.get"),
    Endpoint("PATCH", _ONE, edit, WRITE, "Edit a message: a new variant", "messages", 200,
             "messages.edit", MessageEdit, query=_TRUNCATE, problems=("foreign_key",)),
    Endpoint("POST", _ONE + "/regenerate", regenerate, WRITE,
             "A new variant of an assistant's message", "messages", 201, "messages.edit",
             MessageRegenerate, problems=("foreign_key",)),
    Endpoint("GET", _ONE + "/variants", variants, READ, "List a message's variants", "messages",
             answers="messages.variants", query=PAGING),
    Endpoint("PUT", _ONE + "/active", choose, WRITE, "Choose the variant to be shown", "messages",
             200, "messages.choose", MessageChoose),
    Endpoint("GET", "/messages/search", search, READ, "Search a user's messages", "messages",
             answers="messages.search",
             query=USER | {"q": text("What to look for.", required=True)} | PAGING),
]  # fmt: skip
