"""Conflicts: rows that are like an asset and say something else of it; somebody decides."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

import orjson
from msgspec import UNSET, Meta, UnsetType, to_builtins
from starlette.requests import Request
from starlette.responses import Response

from service.database.tree import sql
from service.http.answers import Answer
from service.http.context import principal, session
from service.http.inputs import MAX_ITEMS, Body, body, identifier, one_of, path_uuid, query
from service.http.paging import PAGING, listing
from service.http.problems import FieldError, Problem
from service.http.routing import Endpoint
from service.resources.documents import require_project
from service.resources.mappings import Target
from service.resources.projects import creator

READ, WRITE = "discovery:read", "discovery:write"


class Resolution(Body):
    """What becomes of a conflict. `merge` takes over `merge_fields` alone, which it wants."""

    id: UUID
    action: Literal["keep_existing", "replace", "merge"]
    merge_fields: Annotated[list[Target], Meta(min_length=1, max_length=30)] | UnsetType = UNSET


class Resolutions(Body):
    """Up to 10,000 resolutions, all or nothing."""

    resolutions: Annotated[list[Resolution], Meta(min_length=1, max_length=MAX_ITEMS)]


async def index(request: Request) -> Response:
    """The conflicts, newest first."""
    asked, project_id = query(request), path_uuid(request)
    await require_project(request, project_id)
    resolved = None if asked["resolved"] is None else asked["resolved"] == "true"
    filters = {"project_id": project_id, "resolved": resolved}
    if asked["flow_id"] is None:  # the queries differ in the index that they go by
        return await listing(request, sql.conflicts.list, **filters)
    return await listing(request, sql.conflicts.list_of_flow, **filters, flow_id=asked["flow_id"])


async def resolve(request: Request) -> Response:
    """Resolve open conflicts, all or nothing; then `resume` lets their flow go on."""
    project_id = path_uuid(request)
    sent = (await body(request, Resolutions)).resolutions
    _check(sent)
    resolved_by = creator(principal(request), None)
    await require_project(request, project_id)
    async with session(request) as db:

        async def work() -> Response:
            await db.value(sql.conflicts.lock_project, project_id=project_id)
            rows = await db.many(
                sql.conflicts.resolve, project_id=project_id, resolutions=to_builtins(sent),
                resolved_by=resolved_by,
            )  # fmt: skip
            done = {row["id"] for row in orjson.loads(rows)}
            missing = [
                FieldError(f"/resolutions/{at}/id", "unknown", "no open conflict of this project")
                for at, one in enumerate(sent)
                if str(one.id) not in done
            ]
            if missing:
                raise Problem("validation", errors=missing[:100])
            return Answer(b'{"items": ' + rows + b"}")

        return await db.atomically(work)


def _check(sent: list[Resolution]) -> None:
    """Raises Problem validation."""
    errors, seen = [], set()
    for at, one in enumerate(sent):
        if one.id in seen:
            errors.append(FieldError(f"/resolutions/{at}/id", "repeated", "it is there twice"))
        seen.add(one.id)
        if (one.action == "merge") != (one.merge_fields is not UNSET):
            told = "merge wants merge_fields, the other actions take none"
            errors.append(FieldError(f"/resolutions/{at}/merge_fields", "invalid", told))
        elif one.merge_fields is not UNSET and "asset_type" in one.merge_fields:
            told = "an asset keeps its type"
            errors.append(FieldError(f"/resolutions/{at}/merge_fields", "invalid", told))
    if errors:
        raise Problem("validation", errors=errors[:100])


_SCHEMA: dict[str, Any] = {
    "type": "object", "required": ["items"], "additionalProperties": False,
    "properties": {"items": {"type": "array", "items": {"type": "object"}}},
}  # fmt: skip
_ALL = "/projects/{project_id}/conflicts"
_FILTERS = {
    "resolved": one_of("Only those that are resolved, or that are not.", "true", "false"),
    "flow_id": identifier("Only those of this flow."),
}
ENDPOINTS = [
    Endpoint("GET", _ALL, index, READ, "List conflicts, newest first", "discovery",
             answers="conflicts.list", query=PAGING | _FILTERS),
    Endpoint("POST", _ALL + "/resolve", resolve, WRITE, "Resolve conflicts, all or nothing",
             "discovery", body=Resolutions, schema=_SCHEMA, problems=("duplicate",)),
]  # fmt: skip
