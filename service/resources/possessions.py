"""What a user has: how much of it, all of it as lines of JSON, and the end of all of it."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from service.database.session import Session
from service.database.tree import sql
from service.http.answers import Stream, entity, json_answer
from service.http.coding import NDJSON
from service.http.context import session
from service.http.inputs import path_uuid
from service.http.problems import Problem
from service.http.routing import Endpoint
from service.resources.cached import drop
from service.resources.owners import READ, owner
from service.resources.stored import remove_content

_EXPORT_MS, _ERASE_MS = 3_600_000, 600_000
_BATCH = 20  # conversations that one statement removes, with all their messages


def _user(request: Request) -> Any:
    """The user of the path. Raises Problem not_found for another one than the key is bound to."""
    user_id, own = path_uuid(request, "user_id"), owner(request)
    if own is not None and own != user_id:
        raise Problem("not_found")
    return user_id


async def storage(request: Request) -> Response:
    """How many conversations, messages, memories and files a user has, and their bytes."""
    async with session(request) as db:
        return entity(await db.one(sql.users.storage, user_id=_user(request)), request)


async def export(request: Request) -> Response:
    """Everything of a user, a line of JSON for each thing: `kind` and `data`.

    The user, each conversation before its messages with all variants, memories, files (whose
    content is at `/files/{id}/content`). Streamed from a server-side cursor.
    """
    user_id = _user(request)
    async with session(request) as db:
        if await db.one(sql.users.get, user_id=user_id) is None:
            raise Problem("not_found")
    return Stream(session(request).stream(sql.users.export, user_id=user_id), NDJSON)


async def erase(request: Request) -> Response:
    """Remove a user for good: personal data, conversations, messages, memories and files.

    It also leaves the audit trail, answers kept for replay, the disk and the cache. The row of the
    user stays without a name, so that what others made stays linked. Answers how many of each.
    """
    user_id = path_uuid(request, "user_id")
    async with session(request) as db, db.transaction():
        counts, files, conversations = await _remove_rows(db, user_id)
    counts["stored_files"] = await remove_content(request, files)
    counts["cache_entries"] = await drop(
        request, {"user": [user_id], "search": [user_id], "page": conversations,
                  "conversation": conversations},
    )  # fmt: skip
    return json_answer({"user_id": str(user_id)} | counts)


async def _remove_rows(db: Session, user_id: Any) -> tuple[dict[str, int], list[Any], list[Any]]:
    """How many rows went, those of files, and the conversations' ids."""
    if not await db.execute(sql.users.erase, user_id=user_id):
        raise Problem("not_found")
    messages = await db.value(sql.erasure.messages, user_id=user_id)
    files = await db.fetch(sql.erasure.files, user_id=user_id)
    memories = [row["id"] for row in await db.fetch(sql.erasure.memories, user_id=user_id)]
    conversations: list[Any] = []
    while some := await db.fetch(sql.erasure.conversations, user_id=user_id, batch=_BATCH):
        conversations += [row["id"] for row in some]
    events = await db.value(sql.users.redact, user_id=user_id)
    for table, ids in (("conversations", conversations), ("files", [row["id"] for row in files])):
        if ids:
            events += await db.value(
                sql.erasure.redact, user_id=user_id, of_table=f"assistant.{table}", ids=ids
            )
    answers = await db.execute(sql.users.forget_answers, user_id=user_id)
    gone = [*conversations, *memories, *(row["id"] for row in files)]
    if gone:
        answers += await db.execute(sql.erasure.forget_answers, ids=gone)
    counts = {
        "conversations": len(conversations), "messages": messages, "memories": len(memories),
        "files": len(files), "audit_events": events, "stored_answers": answers,
    }  # fmt: skip
    return counts, files, conversations


_COUNT = {"type": "integer", "minimum": 0}
_COUNTS = ("conversations", "messages", "memories", "files", "audit_events", "stored_answers",
           "stored_files", "cache_entries")  # fmt: skip
_ERASED = {
    "type": "object",
    "required": ["user_id", *_COUNTS],
    "properties": {"user_id": {"type": "string", "format": "uuid"}}
    | dict.fromkeys(_COUNTS, _COUNT),
}
_LINES = {"type": "string", "description": 'Lines of `{"kind": "message", "data": {…}}`.'}
_ONE = "/users/{user_id}"
ENDPOINTS = [
    Endpoint("GET", _ONE + "/storage", storage, READ, "How much a user has", "users",
             answers="users.storage"),
    Endpoint("GET", _ONE + "/export", export, READ, "Everything of a user", "users",
             schema=_LINES, media_type="application/x-ndjson", timeout_ms=_EXPORT_MS),
    Endpoint("POST", _ONE + "/erase", erase, "projects:write", "Remove a user for good", "users",
             200, schema=_ERASED, timeout_ms=_ERASE_MS, admin=True),
]  # fmt: skip
