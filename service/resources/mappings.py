"""Mappings: which column of an import becomes which field of an asset."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, UnsetType, to_builtins
from starlette.requests import Request
from starlette.responses import Response

from service.database.tree import sql
from service.http.answers import Answer
from service.http.context import principal, session
from service.http.inputs import Body, body, path_uuid
from service.http.problems import FieldError, Problem
from service.http.routing import Endpoint
from service.resources.projects import creator

READ, WRITE = "discovery:read", "discovery:write"
_DECIDED = ("cleansing", "inventory", "conflicts", "dependencies", "technical_debt", "completed")

Target = Literal["name", "asset_type", "hostname", "fqdn", "ip", "os", "os_version", "environment",
                 "location", "business_owner", "technical_owner", "department", "application",
                 "technology_stack", "criticality", "cpu", "memory_gb", "storage_gb", "cost",
                 "dependencies", "custom"]  # fmt: skip


class Mapping(Body):
    """What is decided of one column. `transformation` is for columns that stay in `custom`."""

    source_field: Annotated[str, Meta(min_length=1, max_length=255)]
    target_field: Target
    status: Literal["suggested", "approved", "rejected"]
    transformation: Literal["boolean", "date", "lower", "upper"] | UnsetType = UNSET


class Mappings(Body):
    """Decisions on columns; those that are not named stay as they are."""

    mappings: Annotated[list[Mapping], Meta(min_length=1, max_length=1000)]


async def index(request: Request) -> Response:
    """The mappings of an import, in the order of its columns."""
    project_id, import_id = path_uuid(request), path_uuid(request, "import_id")
    async with session(request) as db:
        if not await db.fetch(sql.mappings.state, project_id=project_id, import_id=import_id):
            raise Problem("not_found")
        return await _answer(db, project_id, import_id)


async def put(request: Request) -> Response:
    """Decide on columns, until the import is cleansed. Each field takes one column."""
    project_id, import_id = path_uuid(request), path_uuid(request, "import_id")
    sent = (await body(request, Mappings)).mappings
    decided_by = creator(principal(request), None)
    async with session(request) as db:

        async def work() -> Response:
            found = await db.fetch(sql.mappings.locked, project_id=project_id, import_id=import_id)
            if not found:
                raise Problem("not_found")
            flow = found[0]
            if flow["current_phase"] in _DECIDED or flow["status"] in ("cancelled", "archived"):
                raise Problem("conflict", "The mappings of this import have been used already.")
            rows = _rows(sent, flow["header"])
            await db.execute(
                sql.mappings.put, project_id=project_id, import_id=import_id, mappings=rows,
                decided_by=decided_by,
            )  # fmt: skip
            doubled = await db.fetch(
                sql.mappings.doubled, project_id=project_id, import_id=import_id
            )
            if doubled:
                raise Problem("validation", errors=[_doubled(one, sent) for one in doubled])
            return await _answer(db, project_id, import_id)

        return await db.atomically(work)


def _rows(sent: list[Mapping], header: list[str]) -> list[dict[str, Any]]:
    """The decisions with their places. Raises Problem validation."""
    places = {name: at for at, name in enumerate(header, 1)}
    errors, seen = [], set()
    for at, one in enumerate(sent):
        pointer = f"/mappings/{at}/source_field"
        if one.source_field not in places:
            errors.append(FieldError(pointer, "invalid", "the import has no such column"))
        elif one.source_field in seen:
            errors.append(FieldError(pointer, "repeated", "this column is there twice"))
        seen.add(one.source_field)
    if errors:
        raise Problem("validation", errors=errors)
    return [{"position": places[one.source_field], **to_builtins(one)} for one in sent]


def _doubled(found: Any, sent: list[Mapping]) -> FieldError:
    target, columns = found["target_field"], found["source_fields"]
    at = next((at for at, one in enumerate(sent) if one.source_field in columns), 0)
    told = f"{target} can take one column only, not {', '.join(columns)}"
    return FieldError(f"/mappings/{at}/target_field", "repeated", told)


async def _answer(db: Any, project_id: Any, import_id: Any) -> Response:
    rows = await db.many(sql.mappings.list, project_id=project_id, import_id=import_id)
    return Answer(b'{"mappings": ' + rows + b"}")


_MAPPING = {"type": "array", "items": {"type": "object"}}
_SCHEMA: dict[str, Any] = {
    "type": "object", "required": ["mappings"], "properties": {"mappings": _MAPPING},
    "additionalProperties": False,
}  # fmt: skip
_ALL = "/projects/{project_id}/imports/{import_id}/mappings"
ENDPOINTS = [
    Endpoint("GET", _ALL, index, READ, "Which column becomes which field", "discovery",
             schema=_SCHEMA),
    Endpoint("PUT", _ALL, put, WRITE, "Decide which column becomes which field", "discovery",
             body=Mappings, schema=_SCHEMA, problems=("conflict",)),
]  # fmt: skip
