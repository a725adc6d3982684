"""Entities: what cases are about, and who owns whom."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from service.database.tree import sql
from service.http.answers import entity
from service.http.context import session
from service.http.inputs import QueryParameter, number, path_text, path_uuid, query, text
from service.http.paging import PAGING, listing
from service.http.problems import Problem
from service.http.routing import Endpoint
from service.resources.dsl import READ

_DEPTH, _MOST_DEPTH = 10, 20
_THRESHOLD = Decimal(25)


async def index(request: Request) -> Response:
    """The entities of a project by their ids."""
    asked, project_id = query(request), path_uuid(request)
    async with session(request) as db:
        if await db.value(sql.projects.version, project_id=project_id) is None:
            raise Problem("not_found")
    return await listing(
        request, sql.entities.list, project_id=project_id, entity_type=asked["entity_type"]
    )


async def get(request: Request) -> Response:
    """One entity with its links."""
    async with session(request) as db:
        row = await db.one(
            sql.entities.get, project_id=path_uuid(request),
            entity_id=path_text(request, "entity_id"),
        )  # fmt: skip
        return entity(row, request)


async def ownership(request: Request) -> Response:
    """The owners of an entity with direct and effective shares; circles are told, not followed."""
    asked = query(request)
    async with session(request) as db:
        row = await db.one(
            sql.entities.ownership, project_id=path_uuid(request),
            entity_id=path_text(request, "entity_id"), depth=asked["depth"],
            threshold=asked["threshold"],
        )  # fmt: skip
        return entity(row, request)


def _percent(meaning: str) -> QueryParameter:
    def read(value: str) -> Decimal:
        if len(value) > 12 or not value.replace(".", "", 1).isdecimal() or not value.isascii():
            raise ValueError("a number from 0 to 100")
        found = Decimal(value)
        if found > 100:
            raise ValueError("a number from 0 to 100")
        return found

    schema: dict[str, Any] = {"type": "number", "minimum": 0, "maximum": 100, "default": 25}
    return QueryParameter(read, schema, meaning, _THRESHOLD)


_ALL = "/projects/{project_id}/entities"
_ONE = _ALL + "/{entity_id}"
ENDPOINTS = [
    Endpoint("GET", _ALL, index, READ, "List entities", "entities", answers="entities.list",
             query={"entity_type": text("Only this type.", most=100)} | PAGING),
    Endpoint("GET", _ONE, get, READ, "One entity", "entities", answers="entities.get"),
    Endpoint("GET", _ONE + "/ownership", ownership, READ, "Who owns an entity", "entities",
             answers="entities.ownership",
             query={"depth": number("Links in a chain at most.", 1, _MOST_DEPTH, _DEPTH),
                    "threshold": _percent("From which share a natural person is an UBO.")}),
]  # fmt: skip
