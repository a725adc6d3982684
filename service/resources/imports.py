"""Imports: inventory files that are uploaded, what was in them, and their removal."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any, BinaryIO

import orjson
from asyncpg.pgproto.pgproto import UUID
from starlette.requests import Request
from starlette.responses import Response

from service.database.errors import Failure, Kind
from service.database.session import Row, Session
from service.database.tree import sql
from service.files import in_thread
from service.http.answers import created, entity, no_content
from service.http.context import context, principal, session
from service.http.inputs import one_of, path_uuid, query, text
from service.http.paging import PAGING, listing
from service.http.problems import FieldError, Problem, invalid
from service.http.routing import Endpoint
from service.http.uploads import Upload, receive
from service.ingest.encoding import COLUMNS, copy_data
from service.ingest.faults import Unreadable
from service.ingest.readers import Reader
from service.ingest.sniffing import Kind as FileKind
from service.ingest.sniffing import sniff
from service.resources.documents import require_project
from service.resources.flows import REMOVAL_MS, alone
from service.resources.projects import creator

READ, WRITE = "discovery:read", "discovery:write"

CATEGORIES = ("cmdb_export", "app_discovery", "infrastructure", "sensitive_data")
STATUSES = ("loaded", "validated", "mapped", "processed", "failed", "cancelled")
OUTCOMES = ("pending", "asset", "merged", "conflict", "rejected", "skipped")
_UPLOAD_MS = 3_600_000  # an upload at most
_FIELDS = ("name", "category", "source_system")  # in the query, or beside the file


class _Known(Exception):
    """The project has this file already."""


async def create(request: Request) -> Response:
    """Upload an inventory: CSV, a JSON array or JSON Lines, as the body or as multipart/form-data.

    202: every row is in, and the flow goes on in the background. 200 with the import that is there
    when the project has the same file. A broken upload leaves nothing.
    """
    project_id = path_uuid(request)
    await require_project(request, project_id)
    upload = await receive(request)
    told = _told(request, upload)
    try:
        opened = await in_thread(upload.draft.reopen)
    except OSError:
        raise Problem("too_large", "There is no room for the file.") from None
    try:
        row, is_new = await _import(request, project_id, upload, told, opened)
    except Unreadable as fault:
        raise invalid("/file", fault.code, fault.detail) from None
    except UnicodeDecodeError:
        raise invalid("/file", "encoding", "The file changes its encoding.") from None
    finally:
        await in_thread(opened.close)
    location = f"/projects/{request.path_params['project_id']}/imports"
    return created(row, location, 202 if is_new else 200)


def _told(request: Request, upload: Upload) -> dict[str, Any]:
    """What is told beside the file, from the query and the form. Raises Problem validation."""
    asked = query(request)
    errors = []
    for name, value in upload.fields.items():
        if name not in _FIELDS:
            errors.append(FieldError(f"/{name}", "unknown", "no such field"))
        elif asked[name] is not None:
            errors.append(FieldError(f"/{name}", "repeated", "is in the query, too"))
        else:
            try:
                asked[name] = _QUERY[name].read(value)
            except ValueError as error:
                errors.append(FieldError(f"/{name}", "invalid", f"must be {error}"))
    if errors:
        raise Problem("validation", errors=errors)
    asked["name"] = asked["name"] or upload.name or "import"
    return asked


async def _import(
    request: Request, project_id: UUID, upload: Upload, told: dict[str, Any], opened: BinaryIO
) -> tuple[Row | None, bool]:
    """The import's row, and whether it is a new one. Raises Unreadable, Problem, Failure."""
    db = session(request)
    sha256 = upload.draft.sha256
    known = await db.one(sql.imports.same, project_id=project_id, sha256=sha256)
    if known is not None:
        return known, False
    kind = await in_thread(sniff, opened)
    values = told | {
        "file_name": upload.name or None, "content_type": upload.media_type, "sha256": sha256,
        "size": upload.draft.size, "encoding": kind.encoding_told, "delimiter": kind.delimiter,
        "imported_by": creator(principal(request), None),
    }  # fmt: skip
    while True:
        try:
            async with db.transaction():
                return await _load(db, project_id, values, opened, kind), True
        except _Known:
            known = await db.one(sql.imports.same, project_id=project_id, sha256=sha256)
            if known is not None:
                return known, False
            await require_project(request, project_id)
        except Failure as failure:  # the same file is being loaded, and that takes long
            if failure.kind is not Kind.LOCKED:
                raise
        if context(request).remaining() <= 0:
            raise Problem("deadline_exceeded")


async def _load(
    db: Session, project_id: UUID, values: dict[str, Any], opened: BinaryIO, kind: FileKind
) -> Row | None:
    """Import, flows and rows, in the transaction that is open."""
    found = await db.fetch(sql.imports.create, project_id=project_id, **values)
    if not found:
        raise _Known
    import_id, flow_id = found[0]["id"], found[0]["master_flow_id"]
    leaf = await db.value(sql.imports.leaf)
    await in_thread(opened.seek, 0)
    reader = Reader(opened, kind)
    blocks = _blocks(reader, (project_id, import_id, flow_id))
    block = await in_thread(next, blocks, None)
    while block is not None:
        # the next rows are read while the database takes these
        following = asyncio.ensure_future(in_thread(next, blocks, None))
        try:
            await db.copy_in(leaf, COLUMNS, block)
        finally:
            await asyncio.wait([following])
        block = following.result()
    await db.execute(
        sql.imports.loaded, project_id=project_id, import_id=import_id, rows=reader.rows,
        header=orjson.dumps(reader.header),
    )  # fmt: skip
    await db.execute(sql.imports.start, project_id=project_id, import_id=import_id, flow_id=flow_id)
    return await db.one(sql.imports.get, project_id=project_id, import_id=import_id)


def _blocks(reader: Reader, ids: tuple[UUID, UUID, UUID]) -> Iterator[bytes]:
    first = 1
    for batch in reader:
        yield copy_data(ids, first, batch)
        first += len(batch)


async def index(request: Request) -> Response:
    """The imports of a project, newest first."""
    project_id = path_uuid(request)
    await require_project(request, project_id)
    asked = query(request)
    return await listing(
        request, sql.imports.list, project_id=project_id, status=asked["status"],
        category=asked["category"],
    )  # fmt: skip


def _ids(request: Request) -> dict[str, Any]:
    return {"project_id": path_uuid(request), "import_id": path_uuid(request, "import_id")}


async def get(request: Request) -> Response:
    """One import."""
    async with session(request) as db:
        return entity(await db.one(sql.imports.get, **_ids(request)), request)


async def records(request: Request) -> Response:
    """The rows of an import in the order of the file: as they came, and what became of them."""
    ids = _ids(request)
    async with session(request) as db:
        if await db.one(sql.imports.get, **ids) is None:
            raise Problem("not_found")
    outcome = query(request)["outcome"]
    if outcome is None:
        return await listing(request, sql.imports.records, **ids)
    return await listing(request, sql.imports.records_by_outcome, result=outcome, **ids)


async def profile(request: Request) -> Response:
    """What validation found, column by column; no columns before it has run."""
    async with session(request) as db:
        return entity(await db.one(sql.imports.profile, **_ids(request)), request)


async def impact(request: Request) -> Response:
    """What goes and what stays when this import is deleted. Nothing is changed."""
    async with session(request) as db:
        return entity(await db.one(sql.imports.impact, **_ids(request)), request)


async def delete(request: Request) -> Response:
    """Remove an import with its rows and mappings; its flow is cancelled, its assets stay."""
    ids = _ids(request)
    async with session(request) as db:

        async def work() -> None:
            await alone(db, sql.imports.lock_flow, **ids)
            await db.execute(sql.imports.unlink, **ids)
            if await db.value(sql.imports.delete, **ids) is None:
                raise Problem("not_found")  # and nothing is let go of

        await db.atomically(work)
    return no_content()


_ALL = "/projects/{project_id}/imports"
_ONE = _ALL + "/{import_id}"
_QUERY = {
    "name": text("What to call it; the file's name when absent."),
    "category": one_of("What kind of inventory it is; cmdb_export when absent.", *CATEGORIES),
    "source_system": text("Where it was exported from."),
}
_FILTERS = {
    "status": one_of("Only this status.", *STATUSES),
    "category": one_of("Only this category.", *CATEGORIES),
}
_OUTCOME = {"outcome": one_of("Only rows that came out so.", *OUTCOMES)}
ENDPOINTS = [
    Endpoint("POST", _ALL, create, WRITE, "Upload an inventory", "imports", 202, "imports.get",
             query=_QUERY, timeout_ms=_UPLOAD_MS, upload=_FIELDS, bare=True, etag=True,
             upload_limit="import_max_bytes",
             problems=("validation", "too_large", "malformed_json")),
    Endpoint("GET", _ALL, index, READ, "List imports, newest first", "imports",
             answers="imports.list", query=_FILTERS | PAGING),
    Endpoint("GET", _ONE, get, READ, "One import", "imports", answers="imports.get", etag=True),
    Endpoint("GET", _ONE + "/records", records, READ, "The rows of an import", "imports",
             answers="imports.records", query=_OUTCOME | PAGING),
    Endpoint("GET", _ONE + "/profile", profile, READ, "What is in its columns", "imports",
             answers="imports.profile"),
    Endpoint("GET", _ONE + "/deletion-impact", impact, READ, "What its removal would take along",
             "imports", answers="imports.impact"),
    Endpoint("DELETE", _ONE, delete, WRITE, "Remove an import with its rows", "imports", 204,
             timeout_ms=REMOVAL_MS, problems=("conflict",)),
]  # fmt: skip
