"""Users of a tenant."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType
from starlette.requests import Request
from starlette.responses import Response

from service.database.errors import Failure, Kind
from service.database.session import Row
from service.database.tree import sql
from service.http.answers import Answer, created, entity, no_content
from service.http.context import session
from service.http.inputs import (
    MAX_ERRORS,
    Body,
    JsonObject,
    body,
    decode,
    given,
    items,
    path_text,
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

Email = Annotated[
    str, Meta(min_length=3, max_length=254, pattern=r"^[^@\s]+@[^@\s]+\.[^@\s.]+$",
              examples=["ada@example.org"]),
]  # fmt: skip
Name = Annotated[str, Meta(min_length=1, max_length=255)]


class UserCreate(Body):
    """A new user."""

    email: Email
    name: Name
    profile: JsonObject | UnsetType = UNSET


class UserUpdate(Body):
    """What changes; what is left out stays."""

    email: Email | UnsetType = UNSET
    name: Name | UnsetType = UNSET
    profile: JsonObject | UnsetType = UNSET


class UserLogin(Body):
    """What a user gets who is made at the first login."""

    name: Name | UnsetType = UNSET
    profile: JsonObject | UnsetType = UNSET


async def create(request: Request) -> Response:
    """One user from an object, or up to 10,000 from an array: all or nothing."""
    data = await raw_body(request)
    if data.lstrip()[:1] == b"[":
        return await _create_many(request, data)
    user = decode(data, UserCreate)
    async with session(request) as db:
        return created(await db.one(sql.users.create, **given(user)), "/users")


async def create_many(request: Request) -> Response:
    """Up to 10,000 users, all or nothing; the ids in order."""
    return await _create_many(request, await raw_body(request))


async def _create_many(request: Request, data: bytes) -> Response:
    items(decode(data, list[UserCreate]))
    async with session(request) as db:
        try:
            async with db.transaction():  # so that the one of an Idempotency-Key outlives a refusal
                made = await db.one(sql.users.create_many, items=data)
        except Failure as failure:
            taken = None
            if failure.kind is Kind.DUPLICATE:
                taken = await db.value(sql.users.taken, items=data)
            if not taken:  # or not any more
                raise
            raise refused("duplicate", "users_email_key", taken[:MAX_ERRORS]) from None
    assert made is not None  # noqa: S101  (an aggregate always has a row)
    return Answer(made.body, 201)


async def get(request: Request) -> Response:
    """One live user; 404 when absent, deleted or another tenant's."""
    user_id = path_uuid(request, "user_id")

    async def read() -> Row | None:
        async with session(request) as db:
            return await db.one(sql.users.get, user_id=user_id)

    return await kept_entity(
        request, "user", user_id, sql.users.generation, {"user_id": user_id}, read
    )


async def index(request: Request) -> Response:
    """The live users, newest first."""
    return await listing(request, sql.users.list, sql.users.count, q=query(request)["q"])


async def update(request: Request) -> Response:
    """Change e-mail, name or profile."""
    changes = await body(request, UserUpdate)
    async with session(request) as db:
        row = await db.one(
            sql.users.update, user_id=path_uuid(request, "user_id"), **given(changes)
        )
        return entity(row, request)


async def delete(request: Request) -> Response:
    """Soft delete."""
    async with session(request) as db:
        if not await db.execute(sql.users.delete, user_id=path_uuid(request, "user_id")):
            raise Problem("not_found")
    return no_content()


async def log_in(request: Request) -> Response:
    """Get the user with this e-mail address or make one, and note the login."""
    email = path_text(request, "email")
    data = await raw_body(request)
    user = decode(data, UserLogin) if data else UserLogin()
    async with session(request) as db:
        return entity(await db.one(sql.users.log_in, email=email, **given(user)), request)


_BY_ID = "/users/{user_id}"
ENDPOINTS = [
    Endpoint("POST", "/users", create, WRITE, "Create a user, or many from an array", "users", 201,
             "users.create", UserCreate, problems=("duplicate",), admin=True),
    Endpoint("POST", "/users/bulk", create_many, WRITE, "Create many users, all or nothing",
             "users", 201, "users.create_many", list[UserCreate], problems=("duplicate",),
             admin=True),
    Endpoint("GET", "/users", index, READ, "List users, newest first", "users",
             answers="users.list",
             query={"q": text("Part of the name or e-mail address.")} | PAGING | TOTAL),
    Endpoint("GET", _BY_ID, get, READ, "One user", "users", answers="users.get"),
    Endpoint("PATCH", _BY_ID, update, WRITE, "Change a user", "users", 200, "users.update",
             UserUpdate, problems=("duplicate",), admin=True),
    Endpoint("DELETE", _BY_ID, delete, WRITE, "Delete a user softly", "users", 204, admin=True),
    Endpoint("PUT", "/users/by-email/{email}", log_in, WRITE, "Get or create by e-mail address",
             "users", 200, "users.log_in", UserLogin, admin=True),
]  # fmt: skip
