"""Whose conversations, memories and files a caller may see: all of its tenant's, or one user's."""

from __future__ import annotations

from typing import Any

from asyncpg.pgproto.pgproto import UUID
from starlette.requests import Request

from service.http.context import principal
from service.http.inputs import identifier
from service.http.problems import FieldError, Problem

READ, WRITE = "assistant:read", "assistant:write"

USER = {"user_id": identifier("Whose; a key that is bound to a user may leave it out.")}


def owner(request: Request) -> UUID | None:
    """The only user whose things the caller may see; None: every user of the tenant.

    Raises Problem forbidden for a key that is bound to projects: none of this is in a project.
    """
    caller = principal(request)
    if caller.projects is not None:
        raise Problem("forbidden", "A key that is bound to projects has no part in the assistant.")
    return caller.user_id


def user_of(request: Request, named: Any) -> Any:
    """The user that a request is about: the one it names, else the one the key is bound to.

    Raises Problem forbidden when the key is bound to another one, validation when there is none.
    """
    own = owner(request)
    if own is None:
        if named is None:
            pointer = "query:user_id" if request.method == "GET" else "/user_id"
            raise Problem("validation", errors=[FieldError(pointer, "missing", "is required")])
        return named
    if named is not None and named != own:
        raise Problem("forbidden", "This key may act only as its own user.")
    return own


def no_such_user() -> Problem:
    """A body names a user who is absent, deleted or another tenant's."""
    return Problem(
        "foreign_key", errors=[FieldError("/user_id", "foreign_key", "no such user")]
    )  # fmt: skip
