"""Members of a project: who may do what in it."""

from __future__ import annotations

from typing import Literal

from starlette.requests import Request
from starlette.responses import Response

from service.database.tree import sql
from service.http.answers import entity, no_content
from service.http.context import session
from service.http.inputs import Body, body, path_uuid
from service.http.paging import PAGING, TOTAL, listing
from service.http.problems import FieldError, Problem
from service.http.routing import Endpoint

READ, WRITE = "projects:read", "projects:write"


class MemberPut(Body):
    """The role that a user has or gets."""

    role: Literal["owner", "editor", "viewer"]


async def index(request: Request) -> Response:
    """The members of a live project."""
    project_id = path_uuid(request)
    async with session(request) as db:
        if await db.value(sql.projects.version, project_id=project_id) is None:
            raise Problem("not_found")
    return await listing(request, sql.members.list, sql.members.count, project_id=project_id)


async def get(request: Request) -> Response:
    """One member."""
    project_id, user_id = path_uuid(request), path_uuid(request, "user_id")
    async with session(request) as db:
        return entity(
            await db.one(sql.members.get, project_id=project_id, user_id=user_id), request
        )


async def put(request: Request) -> Response:
    """Make a user a member, or change the role."""
    project_id, user_id = path_uuid(request), path_uuid(request, "user_id")
    wanted = await body(request, MemberPut)
    async with session(request) as db:
        row = await db.one(
            sql.members.put, project_id=project_id, user_id=user_id, role=wanted.role
        )
        if row is None and await db.value(sql.projects.version, project_id=project_id) is not None:
            error = FieldError("/user_id", "foreign_key", "no such user")
            raise Problem("foreign_key", errors=[error])
        return entity(row, request)


async def delete(request: Request) -> Response:
    """Take a member out; the last owner stays."""
    project_id, user_id = path_uuid(request), path_uuid(request, "user_id")
    async with session(request) as db:
        if not await db.execute(sql.members.delete, project_id=project_id, user_id=user_id):
            raise Problem("not_found")
    return no_content()


_ALL = "/projects/{project_id}/members"
_ONE = _ALL + "/{user_id}"
ENDPOINTS = [
    Endpoint("GET", _ALL, index, READ, "List the members of a project", "members",
             answers="members.list", query=PAGING | TOTAL),
    Endpoint("GET", _ONE, get, READ, "One member", "members", answers="members.get"),
    Endpoint("PUT", _ONE, put, WRITE, "Add a member or change the role", "members", 200,
             "members.put", MemberPut, problems=("foreign_key", "conflict"), owner=True),
    Endpoint("DELETE", _ONE, delete, WRITE, "Remove a member", "members", 204,
             problems=("conflict",), owner=True),
]  # fmt: skip
