"""Files of users: uploaded here, or stored elsewhere and known here."""

from __future__ import annotations

import os
import secrets
from typing import Annotated, Any
from uuid import UUID

from msgspec import UNSET, Meta, UnsetType
from starlette.requests import Request
from starlette.responses import Response

from service.database.session import Row, Session
from service.database.tree import sql
from service.files import UPLOADS, in_thread
from service.http.answers import created, entity, no_content
from service.http.context import context, principal, session
from service.http.inputs import (
    Body,
    JsonObject,
    body,
    given,
    identifier,
    one_of,
    parse_uuid,
    path_uuid,
    query,
)  # fmt: skip
from service.http.paging import PAGING, listing
from service.http.problems import FieldError, Problem, invalid
from service.http.ranges import File, file_answer, unchanged, wanted
from service.http.routing import Endpoint
from service.http.uploads import Upload, is_multipart, receive
from service.resources.owners import READ, USER, WRITE, no_such_user, owner, user_of
from service.resources.stored import remove_content

_UPLOAD_MS = 3_600_000  # an upload at most
_FIELDS = ("user_id", "conversation_id")  # of an upload, besides the file


class FileCreate(Body):
    """A file that is stored elsewhere: `path` says where. `sha256` in hex finds it again."""

    original_name: Annotated[str, Meta(min_length=1, max_length=255)]
    mime_type: Annotated[str, Meta(max_length=127, pattern=r"^[!-~]+/[!-~]+( *;[ -~]*)?$")]
    size: Annotated[int, Meta(ge=0, le=2**63 - 1)]
    path: Annotated[str, Meta(min_length=1, max_length=2000)]
    user_id: UUID | UnsetType = UNSET
    conversation_id: UUID | UnsetType = UNSET
    sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")] | UnsetType = UNSET
    analysis: JsonObject | UnsetType = UNSET


class FileProcessed(Body):
    """How processing ended: what was found, or why it failed."""

    analysis: JsonObject | UnsetType = UNSET
    error: Annotated[str, Meta(min_length=1, max_length=4000)] | UnsetType = UNSET


def _file(request: Request) -> dict[str, Any]:
    return {"file_id": path_uuid(request, "file_id"), "owner_id": owner(request)}


async def create(request: Request) -> Response:
    """Upload a file as multipart/form-data, or tell of one that is stored elsewhere.

    200 with the existing file when the user has one with the same SHA-256, 201 otherwise.
    """
    if is_multipart(request):
        return await _upload(request)
    values = given(await body(request, FileCreate))
    if values["sha256"] is not None:
        values["sha256"] = bytes.fromhex(values["sha256"])
    values["user_id"] = user_of(request, values["user_id"])
    async with session(request) as db:
        row, is_new = await _store(db, values)
    return created(row, "/files", 201 if is_new else 200)


async def _upload(request: Request) -> Response:
    """Row and file come together: the file gets its name while the row is not yet committed."""
    upload = await receive(request)
    ids = _ids(upload)
    name = secrets.token_hex(16)
    values: dict[str, Any] = {
        "user_id": user_of(request, ids["user_id"]), "conversation_id": ids["conversation_id"],
        "original_name": upload.name, "stored_name": name, "mime_type": upload.media_type,
        "size": upload.draft.size, "sha256": upload.draft.sha256, "path": f"{UPLOADS}/{name}",
        "analysis": None,
    }  # fmt: skip
    try:
        async with session(request) as db, db.transaction():
            row, is_new = await _store(db, values)
            if is_new:
                await upload.keep(name)
    except BaseException:
        if upload.kept:
            await remove_content(request, [{"stored_name": name}])
        raise
    return created(row, "/files", 201 if is_new else 200)


def _ids(upload: Upload) -> dict[str, UUID | None]:
    """The fields of an upload. Raises Problem validation with all that are at fault."""
    errors = [
        FieldError(f"/{name}", "unknown", "no such field")
        for name in upload.fields.keys() - set(_FIELDS)
    ]
    ids: dict[str, UUID | None] = {}
    for name in _FIELDS:
        text = upload.fields.get(name)
        ids[name] = None if text is None else parse_uuid(text)
        if text is not None and ids[name] is None:
            errors.append(FieldError(f"/{name}", "invalid", "a uuid"))
    if errors:
        raise Problem("validation", errors=errors)
    return ids


async def _store(db: Session, values: dict[str, Any]) -> tuple[Row, bool]:
    """The file's row, and whether it is a new one."""
    for _ in range(3):  # a file with this content may be deleted at this very moment
        row = await db.one(sql.files.create, **values)
        if row is not None:
            return row, True
        row = await db.one(sql.files.same, user_id=values["user_id"], sha256=values["sha256"])
        if row is not None:
            return row, False
    raise no_such_user()


async def get(request: Request) -> Response:
    """One file, without its content."""
    async with session(request) as db:
        return entity(await db.one(sql.files.get, **_file(request)), request)


async def index(request: Request) -> Response:
    """A user's files, newest first."""
    asked = query(request)
    filters = {"user_id": user_of(request, asked["user_id"]), "status": asked["status"]}
    if asked["conversation_id"] is None:
        return await listing(request, sql.files.list, **filters)
    return await listing(
        request, sql.files.list_of_conversation, **filters,
        conversation_id=asked["conversation_id"],
    )  # fmt: skip


async def content(request: Request) -> Response:
    """The content. `ETag` is its SHA-256; with `Range` a download that broke off is resumed."""
    found = await session(request).fetch(sql.files.get, **_file(request))
    if not found:
        raise Problem("not_found")
    row = found[0]
    if row["stored_name"] is None:
        raise Problem("conflict", "The file is stored elsewhere: its path says where.")
    if (known := unchanged(request, row["sha256"])) is not None:
        return known
    file = await _open(request, row)
    try:
        seconds = context(request).process.settings.download_seconds
        return file_answer(request, file, wanted(request, file), seconds)
    except BaseException:
        file.opened.close()
        raise


async def _open(request: Request, row: Any) -> File:
    """The content on the disk. Raises Problem gone when it is not there, or not whole."""
    tenant_id = principal(request).identity.tenant_id
    try:
        opened = await context(request).process.files.open(UPLOADS, tenant_id, row["stored_name"])
    except FileNotFoundError:
        raise Problem("gone", "The file's content is not there any more.") from None
    size = (await in_thread(os.fstat, opened.fileno())).st_size
    if size == row["size"]:
        return File(opened, size, row["sha256"], row["mime_type"], row["original_name"])
    opened.close()
    raise Problem("gone", "The file's content is not there any more.")


async def delete(request: Request) -> Response:
    """Delete a file: its content for good, its row softly."""
    found = await session(request).fetch(sql.files.delete, **_file(request))
    if not found:
        raise Problem("not_found")
    await remove_content(request, found)
    return no_content()


async def processed(request: Request) -> Response:
    """Note how the processing of a file ended; 409 when it had ended before."""
    values = given(await body(request, FileProcessed))
    is_one = (values["analysis"] is None) != (values["error"] is None)
    async with session(request) as db:
        row = await db.one(sql.files.processed, **_file(request), **values) if is_one else None
        if row is not None:
            return entity(row, request)
        if await db.one(sql.files.get, **_file(request)) is None:
            raise Problem("not_found")
    if not is_one:
        raise invalid("/analysis", "invalid", "either analysis or error")
    raise Problem("conflict", "The processing of this file has ended already.")


_FILTERS = {
    "conversation_id": identifier("Only those given in this conversation."),
    "status": one_of("Only this status.", "uploaded", "processing", "processed", "failed"),
}
_ONE = "/files/{file_id}"
ENDPOINTS = [
    Endpoint("POST", "/files", create, WRITE, "Upload a file, or tell of one stored elsewhere",
             "files", 201, "files.create", FileCreate, problems=("foreign_key",),
             timeout_ms=_UPLOAD_MS, upload=_FIELDS),
    Endpoint("GET", "/files", index, READ, "List a user's files", "files", answers="files.list",
             query=USER | _FILTERS | PAGING),
    Endpoint("GET", _ONE, get, READ, "One file, without its content", "files",
             answers="files.get"),
    Endpoint("GET", _ONE + "/content", content, READ, "The content of a file", "files", etag=True,
             ranges=True, media_type="*/*", problems=("conflict", "gone")),
    Endpoint("DELETE", _ONE, delete, WRITE, "Delete a file", "files", 204),
    Endpoint("POST", _ONE + "/processed", processed, WRITE, "Note how processing ended", "files",
             200, "files.processed", FileProcessed),
]  # fmt: skip
