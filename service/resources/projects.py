"""Projects: the unit of isolation inside a tenant."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from msgspec import UNSET, Meta, UnsetType
from starlette.requests import Request
from starlette.responses import Response

from service.database.session import Row
from service.database.tree import sql
from service.http.answers import Answer, created, entity, expected_version, no_content
from service.http.context import Principal, principal, session
from service.http.inputs import (
    MAX_ERRORS,
    Body,
    JsonObject,
    body,
    decode,
    given,
    identifier,
    items,
    one_of,
    path_uuid,
    query,
    raw_body,
    text,
)  # fmt: skip
from service.http.paging import PAGING, TOTAL, listing
from service.http.problems import Problem, refused
from service.http.routing import Endpoint
from service.resources.cached import kept_entity

READ, WRITE = "projects:read", "projects:write"

Status = Literal["draft", "active", "in_review", "completed", "archived"]
Name = Annotated[str, Meta(min_length=1, max_length=255)]
Language = Annotated[
    str,
    Meta(
        min_length=2,
        max_length=10,
        pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*$",
        examples=["en-GB"],
    ),
]
Step = Annotated[int, Meta(ge=1, le=4)]


class ProjectCreate(Body):
    """A new project. `created_by` becomes its owner."""

    name: Name
    language: Language
    status: Status | UnsetType = UNSET
    current_step: Step | UnsetType = UNSET
    metadata: JsonObject | UnsetType = UNSET
    created_by: UUID | UnsetType = UNSET


class ProjectUpdate(Body):
    """What changes; what is left out stays. `language` may be sent, but never changes."""

    name: Name | UnsetType = UNSET
    status: Status | UnsetType = UNSET
    language: Language | UnsetType = UNSET
    current_step: Step | UnsetType = UNSET
    metadata: JsonObject | UnsetType = UNSET


def creator(caller: Principal, named: Any) -> Any:
    """Who creates: a key that is bound to a user creates as that user only."""
    if caller.user_id is None:
        return named
    if named is not None and named != caller.user_id:
        raise Problem("forbidden", "This key may create only as its own user.")
    return caller.user_id


def _may_create(caller: Principal) -> None:
    if caller.projects is not None:
        raise Problem("forbidden", "A key that is bound to projects cannot create others.")


async def create(request: Request) -> Response:
    """One project from an object, or up to 10,000 from an array: all or nothing."""
    data = await raw_body(request)
    if data.lstrip()[:1] == b"[":
        return await _create_many(request, data)
    values = given(decode(data, ProjectCreate))
    caller = principal(request)
    _may_create(caller)
    values["created_by"] = creator(caller, values["created_by"])
    async with session(request) as db:
        row = await db.one(sql.projects.create, **values)
        if row is None:
            raise refused("foreign_key", "projects_created_by_fkey")
        return created(row, "/projects")


async def create_many(request: Request) -> Response:
    """Up to 10,000 projects, all or nothing; the ids in order."""
    return await _create_many(request, await raw_body(request))


async def _create_many(request: Request, data: bytes) -> Response:
    found = items(decode(data, list[ProjectCreate]))
    caller = principal(request)
    _may_create(caller)
    if caller.user_id is not None:
        for item in found:
            creator(caller, None if item.created_by is UNSET else item.created_by)
    async with session(request) as db:
        made = await db.one(sql.projects.create_many, items=data, created_by=caller.user_id)
        if made is None:
            strangers = await db.value(sql.projects.strangers, items=data) or []
            raise refused("foreign_key", "projects_created_by_fkey", strangers[:MAX_ERRORS])
    return Answer(made.body, 201)


async def get(request: Request) -> Response:
    """One live project; 404 when absent, deleted or another tenant's."""
    project_id = path_uuid(request)

    async def read() -> Row | None:
        async with session(request) as db:
            return await db.one(sql.projects.get, project_id=project_id)

    return await kept_entity(
        request, "project", project_id, sql.projects.generation, {"project_id": project_id}, read
    )


async def index(request: Request) -> Response:
    """The live projects, latest change first."""
    asked, caller = query(request), principal(request)
    filters = {name: asked[name] for name in ("status", "language", "q")}
    named: Any = sql.projects.list
    if caller.restricted:
        named = sql.projects.list_allowed
        filters |= {"project_ids": caller.projects, "member_id": caller.user_id}
    elif asked["created_by"] is not None:
        named = sql.projects.list_of_creator
    if named is not sql.projects.list:
        filters["created_by"] = asked["created_by"]
    return await listing(request, named, sql.projects.count, **filters)


async def update(request: Request) -> Response:
    """Change a project that still has the version of If-Match."""
    expected = expected_version(request)
    changes = given(await body(request, ProjectUpdate))
    project_id = path_uuid(request)
    async with session(request) as db:
        row = await db.one(
            sql.projects.update, project_id=project_id, expected_version=expected, **changes
        )
        if row is None:
            raise await _missing_or_stale(db, project_id)
        return entity(row, request)


async def delete(request: Request) -> Response:
    """Soft delete, of the version of If-Match."""
    expected = expected_version(request)
    project_id = path_uuid(request)
    async with session(request) as db:
        if not await db.execute(
            sql.projects.delete, project_id=project_id, expected_version=expected
        ):
            raise await _missing_or_stale(db, project_id)
    return no_content()


async def _missing_or_stale(db: Any, project_id: Any) -> Problem:
    found = await db.value(sql.projects.version, project_id=project_id)
    return Problem("not_found" if found is None else "stale_etag")


async def restore(request: Request) -> Response:
    """Bring a softly deleted project back; 409 when it is live."""
    project_id = path_uuid(request)
    async with session(request) as db:
        row = await db.one(sql.projects.restore, project_id=project_id)
        if row is None:
            raise await _absent_or_live(db, project_id)
        return entity(row, request)


async def purge(request: Request) -> Response:
    """Remove a softly deleted project for good, with everything below it; 409 when it is live."""
    project_id = path_uuid(request)
    async with session(request) as db:
        if not await db.execute(sql.projects.purge, project_id=project_id):
            raise await _absent_or_live(db, project_id)
    return no_content()


async def _absent_or_live(db: Any, project_id: Any) -> Problem:
    if await db.value(sql.projects.version, project_id=project_id) is None:
        return Problem("not_found")
    return Problem("conflict", "The project is not deleted.")


_FILTERS = {
    "status": one_of("Only this status.", *Status.__args__),  # type: ignore[attr-defined]
    "created_by": identifier("Only what this user made."),
    "language": text("Only this language.", most=10),
    "q": text("Part of the name; case and accents do not matter."),
}
_BY_ID = "/projects/{project_id}"
ENDPOINTS = [
    Endpoint("POST", "/projects", create, WRITE, "Create a project, or many from an array",
             "projects", 201, "projects.create", ProjectCreate, etag=True,
             problems=("foreign_key",)),
    Endpoint("POST", "/projects/bulk", create_many, WRITE, "Create many projects, all or nothing",
             "projects", 201, "projects.create_many", list[ProjectCreate],
             problems=("foreign_key",)),
    Endpoint("GET", "/projects", index, READ, "List projects, latest change first", "projects",
             answers="projects.list", query=_FILTERS | PAGING | TOTAL),
    Endpoint("GET", _BY_ID, get, READ, "One project", "projects", answers="projects.get",
             etag=True),
    Endpoint("PUT", _BY_ID, update, WRITE, "Change a project", "projects", 200, "projects.update",
             ProjectUpdate, precondition=True, etag=True),
    Endpoint("DELETE", _BY_ID, delete, WRITE, "Delete a project softly", "projects", 204,
             precondition=True),
    Endpoint("POST", _BY_ID + "/restore", restore, WRITE, "Bring a deleted project back",
             "projects", 200, "projects.restore", etag=True, problems=("conflict",)),
    Endpoint("POST", _BY_ID + "/purge", purge, "admin", "Remove a deleted project for good",
             "projects", 204, problems=("conflict",), admin=True),
]  # fmt: skip
