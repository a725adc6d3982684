"""Exports: a project's documents as one file, built by a job and kept for a day."""

from __future__ import annotations

import os
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, UnsetType
from starlette.requests import Request
from starlette.responses import Response

from service.database.tree import sql
from service.files import EXPORTS, in_thread
from service.http.answers import created, entity, no_content
from service.http.context import context, principal, session
from service.http.inputs import Body, body, given, path_uuid
from service.http.paging import PAGING, listing
from service.http.problems import Problem, invalid
from service.http.ranges import File, file_answer, unchanged, wanted
from service.http.routing import Endpoint
from service.resources.archive import FORMATS
from service.resources.documents import Type, require_project
from service.resources.export_job import file_name
from service.resources.projects import creator

READ, WRITE = "projects:read", "projects:write"


class ExportCreate(Body):
    """What to export: all types when `document_types` is absent, the latest version of each."""

    format: Literal["zip", "ndjson"]
    document_types: Annotated[list[Type], Meta(min_length=1, max_length=100)] | UnsetType = UNSET
    versions: Literal["latest", "all"] | UnsetType = UNSET


async def create(request: Request) -> Response:
    """Ask for an export. 202: it is built in the background; `Location` tells how far it is."""
    values = given(await body(request, ExportCreate))
    types = values["document_types"]
    if types is not None and (repeated := len(types) - len(set(types))):
        raise invalid("/document_types", "repeated", f"{repeated} of them are there twice")
    project_id = path_uuid(request)
    async with session(request) as db:
        row = await db.one(
            sql.exports.create, project_id=project_id,
            created_by=creator(principal(request), None), **values,
        )  # fmt: skip
        return created(row, f"/projects/{request.path_params['project_id']}/exports", 202)


async def get(request: Request) -> Response:
    """One export: its status, its progress, and what is in it once it is completed."""
    project_id, export_id = path_uuid(request), path_uuid(request, "export_id")
    async with session(request) as db:
        return entity(
            await db.one(sql.exports.get, project_id=project_id, export_id=export_id), request
        )


async def index(request: Request) -> Response:
    """The exports of a project, newest first."""
    project_id = path_uuid(request)
    await require_project(request, project_id)
    return await listing(request, sql.exports.list, project_id=project_id)


async def download(request: Request) -> Response:
    """The file. 409 until the export is completed, 410 when the file is gone.

    With `Range` a download that broke off is resumed; `ETag` is the SHA-256 of the whole file. A
    download counts when it begins at the first byte, so a resumed one counts once; HEAD and 304 do
    not count. A download that has begun goes on when the export expires meanwhile.
    """
    project_id, export_id = path_uuid(request), path_uuid(request, "export_id")
    found = await session(request).fetch(
        sql.exports.file, project_id=project_id, export_id=export_id
    )
    if not found:
        raise Problem("not_found")
    export = found[0]
    _require_completed(export)
    if (known := unchanged(request, export["file_sha256"])) is not None:
        return known
    file = await _open(request, export_id, export)
    try:
        part = wanted(request, file)
        if request.method == "GET" and (part is None or part[0] == 0):
            await session(request).execute(sql.exports.count_download, export_id=export_id)
        return file_answer(request, file, part, context(request).process.settings.download_seconds)
    except BaseException:
        file.opened.close()
        raise


def _require_completed(export: Any) -> None:
    match export["status"]:
        case "completed":
            return
        case "expired":
            raise Problem("gone", "The export has expired; make a new one.")
        case "failed":
            raise Problem("conflict", f"The export failed: {export['error_message']}")
        case status:
            raise Problem("conflict", f"The export is {status}.", headers={"Retry-After": "1"})


async def _open(request: Request, export_id: Any, export: Any) -> File:
    """The file of a completed export. Raises Problem gone when it is not there, or not whole."""
    tenant_id = principal(request).identity.tenant_id
    files = context(request).process.files
    name = file_name(export_id, export["file_sha256"])
    try:
        opened = await files.open(EXPORTS, tenant_id, name)
    except FileNotFoundError:
        opened = None
    if opened is not None:
        size = (await in_thread(os.fstat, opened.fileno())).st_size
        if size == export["file_size"]:
            media_type = FORMATS[export["format"]].media_type
            return File(opened, size, export["file_sha256"], media_type, export["file_name"])
        opened.close()
    await session(request).execute(sql.exports.lose, export_id=export_id)
    raise Problem("gone", "The file is not there any more; make a new export.")


async def delete(request: Request) -> Response:
    """Remove the export and its file; a job that builds it is stopped."""
    project_id, export_id = path_uuid(request), path_uuid(request, "export_id")
    async with session(request) as db:
        if await db.value(sql.exports.delete, project_id=project_id, export_id=export_id) is None:
            raise Problem("not_found")
    tenant_id = principal(request).identity.tenant_id
    files = context(request).process.files
    await files.remove_all(EXPORTS, tenant_id, f"{export_id}.")
    return no_content()


_ALL = "/projects/{project_id}/exports"
_ONE = _ALL + "/{export_id}"
ENDPOINTS = [
    Endpoint("POST", _ALL, create, WRITE, "Ask for an export", "exports", 202, "exports.create",
             ExportCreate),
    Endpoint("GET", _ALL, index, READ, "List exports, newest first", "exports",
             answers="exports.list", query=PAGING),
    Endpoint("GET", _ONE, get, READ, "One export and how far it is", "exports",
             answers="exports.get"),
    Endpoint("DELETE", _ONE, delete, WRITE, "Remove an export and its file", "exports", 204),
    Endpoint("GET", _ONE + "/download", download, READ, "The file of an export", "exports",
             answers="exports.documents", etag=True, ranges=True, media_type="application/zip",
             problems=("conflict", "gone")),
]  # fmt: skip
