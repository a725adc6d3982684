"""The dictionary: what a value may be; and the values of cases, entities and documents."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
import orjson
from msgspec import UNSET, Meta, UnsetType
from starlette.requests import Request
from starlette.responses import Response

from service.database.errors import Failure, Kind
from service.database.session import Session
from service.database.tree import sql
from service.http.answers import created, entity, expected_version, no_content
from service.http.context import session
from service.http.inputs import (
    MAX_ERRORS,
    Body,
    JsonObject,
    body,
    given,
    one_of,
    parse_uuid,
    path_text,
    path_uuid,
    query,
    text,
)
from service.http.paging import PAGING, listing
from service.http.problems import FieldError, Problem
from service.http.routing import Endpoint
from service.resources.dsl import READ, WRITE

Mask = Literal["string", "integer", "decimal", "date", "datetime", "boolean", "enum", "uuid",
               "money", "percent"]  # fmt: skip
Sensitivity = Literal["public", "internal", "confidential", "restricted"]
Name = Annotated[str, Meta(min_length=1, max_length=200)]
Group = Annotated[str, Meta(min_length=1, max_length=100)]
Description = Annotated[str, Meta(max_length=4000)]


class AttributeCreate(Body):
    """A new attribute. `rules`: values, pattern, range, length, format."""

    name: Name
    mask: Mask
    group_id: Group | UnsetType = UNSET
    rules: JsonObject | UnsetType = UNSET
    domain: Group | UnsetType = UNSET
    long_description: Description | UnsetType = UNSET
    sensitivity: Sensitivity | UnsetType = UNSET
    source: JsonObject | UnsetType = UNSET
    sink: JsonObject | UnsetType = UNSET


class AttributeUpdate(Body):
    """What changes; what is left out stays. Values that are stored are not held against it."""

    name: Name | UnsetType = UNSET
    mask: Mask | UnsetType = UNSET
    group_id: Group | UnsetType = UNSET
    rules: JsonObject | UnsetType = UNSET
    domain: Group | UnsetType = UNSET
    long_description: Description | UnsetType = UNSET
    sensitivity: Sensitivity | UnsetType = UNSET
    source: JsonObject | UnsetType = UNSET
    sink: JsonObject | UnsetType = UNSET


class ValuesPut(Body):
    """Values of one subject by attribute, which is named by its name or id: all are stored, or
    none. null: known to be wanted, not known yet.
    """

    values: JsonObject
    source: Annotated[str, Meta(max_length=1000)] | UnsetType = UNSET
    observed_at: Annotated[datetime, Meta(tz=True)] | UnsetType = UNSET


async def index(request: Request) -> Response:
    """The attributes by name, or those that match a search, best match first."""
    asked = query(request)
    group, mask = asked["group_id"], asked["mask"]
    if asked["q"] is not None:
        search = sql.dictionary.search
        return await listing(request, search, q=asked["q"], group_id=group, mask=mask)
    if group is not None:
        return await listing(request, sql.dictionary.list_of_group, group_id=group, mask=mask)
    return await listing(request, sql.dictionary.list, mask=mask)


async def create(request: Request) -> Response:
    """A new attribute of the tenant's dictionary."""
    values = given(await body(request, AttributeCreate))
    async with session(request) as db:
        return created(await db.one(sql.dictionary.create, **values), "/dictionary")


async def get(request: Request) -> Response:
    """One attribute."""
    attribute_id = path_uuid(request, "attribute_id")
    async with session(request) as db:
        return entity(await db.one(sql.dictionary.get, attribute_id=attribute_id), request)


async def update(request: Request) -> Response:
    """Change an attribute that still has the version of If-Match."""
    expected = expected_version(request)
    attribute_id = path_uuid(request, "attribute_id")
    changes = given(await body(request, AttributeUpdate))
    async with session(request) as db:
        row = await db.one(
            sql.dictionary.update, attribute_id=attribute_id, expected_version=expected, **changes
        )
        if row is None:
            raise await _missing_or_stale(db, attribute_id)
        return entity(row, request)


async def delete(request: Request) -> Response:
    """Remove an attribute; 409 while values have it."""
    expected = expected_version(request)
    attribute_id = path_uuid(request, "attribute_id")
    async with session(request) as db:
        try:
            removed = await db.execute(
                sql.dictionary.delete, attribute_id=attribute_id, expected_version=expected
            )
        except Failure as failure:
            if failure.kind is Kind.FOREIGN_KEY:
                raise Problem("conflict", "Values have this attribute.") from None
            raise
        if not removed:
            raise await _missing_or_stale(db, attribute_id)
    return no_content()


async def _missing_or_stale(db: Session, attribute_id: UUID) -> Problem:
    found = await db.value(sql.dictionary.version, attribute_id=attribute_id)
    return Problem("not_found" if found is None else "stale_etag")


# values


async def values(request: Request) -> Response:
    """The values of a case, entity or document."""
    project_id, kind, subject_id = await _subject(request)
    return await listing(
        request, sql.dictionary.values, project_id=project_id, subject_kind=kind,
        subject_id=subject_id,
    )  # fmt: skip


async def put_values(request: Request) -> Response:
    """Store values of a subject; one that does not fit its attribute refuses all."""
    project_id, kind, subject_id = await _subject(request)
    wanted = await body(request, ValuesPut)
    claims = _claims(wanted)
    async with session(request) as db:
        known = await db.fetch(sql.dictionary.resolve, claims=orjson.dumps(claims))
        wrong = [_misfit(claims[row["number"]]["key"], row["reason"])
                 for row in known if row["reason"] is not None]  # fmt: skip
        ids = [row["attribute_id"] for row in known]
        if not claims or (not wrong and len(set(ids)) < len(ids)):
            wrong = [FieldError("/values", "invalid", "at least one, and none twice")]
        if wrong:
            raise Problem("validation", errors=wrong[:MAX_ERRORS])
        common = {
            "subject_kind": kind, "subject_id": subject_id,
            "source": None if wanted.source is UNSET else wanted.source,
            "observed_at": None if wanted.observed_at is UNSET else wanted.observed_at,
        }  # fmt: skip
        rows = [common | claims[row["number"]] | {"attribute_id": str(row["attribute_id"])}
                for row in known]  # fmt: skip
        await db.fetch(sql.dictionary.set_values, project_id=project_id, rows=orjson.dumps(rows))
    return no_content()


def _claims(wanted: ValuesPut) -> list[dict[str, Any]]:
    """What is said of each attribute; values stay the bytes that were sent, so no digit is lost."""
    stated = msgspec.json.decode(bytes(wanted.values), type=dict[str, msgspec.Raw])
    claims = []
    for number, (key, value) in enumerate(stated.items()):
        about = {"name": key} if parse_uuid(key) is None else {"attribute_id": key}
        state = "pending" if bytes(value).strip() == b"null" else "resolved"
        sent = orjson.Fragment(bytes(value))
        claims.append({"number": number, "key": key, "value": sent, "state": state, **about})
    return claims


def _misfit(key: str, reason: str) -> FieldError:
    pointer = "/values/" + key[:200].replace("~", "~0").replace("/", "~1")
    return FieldError(pointer, "invalid", reason)


async def _subject(request: Request) -> tuple[UUID, str, str]:
    """The subject of the path. Raises Problem not_found."""
    project_id = path_uuid(request)
    kind, subject_id = path_text(request, "subject_kind"), path_text(request, "subject_id")
    if kind not in ("case", "entity", "document"):
        raise Problem("not_found")
    async with session(request) as db:
        known = await db.value(
            sql.dictionary.subject, project_id=project_id, subject_kind=kind, subject_id=subject_id
        )
    if not known:
        raise Problem("not_found")
    return project_id, kind, subject_id


_ONE = "/dictionary/{attribute_id}"
_VALUES = "/projects/{project_id}/subjects/{subject_kind}/{subject_id}/values"
ENDPOINTS = [
    Endpoint("GET", "/dictionary", index, READ, "List or search the dictionary", "dictionary",
             answers="dictionary.list",
             query={"q": text("Words in name, group or description."),
                    "group_id": text("Only this group.", most=100),
                    "mask": one_of("Only this mask.", *Mask.__args__)} | PAGING),  # type: ignore[attr-defined]
    Endpoint("POST", "/dictionary", create, WRITE, "Add an attribute", "dictionary", 201,
             "dictionary.create", AttributeCreate, etag=True, admin=True,
             problems=("duplicate",)),
    Endpoint("GET", _ONE, get, READ, "One attribute", "dictionary", answers="dictionary.get",
             etag=True),
    Endpoint("PUT", _ONE, update, WRITE, "Change an attribute", "dictionary", 200,
             "dictionary.update", AttributeUpdate, precondition=True, etag=True, admin=True,
             problems=("duplicate",)),
    Endpoint("DELETE", _ONE, delete, WRITE, "Remove an attribute", "dictionary", 204,
             precondition=True, admin=True, problems=("conflict",)),
    Endpoint("GET", _VALUES, values, READ, "The values of a case, entity or document", "dictionary",
             answers="dictionary.values", query=dict(PAGING)),
    Endpoint("PUT", _VALUES, put_values, WRITE, "Store values of a case, entity or document",
             "dictionary", 204, body=ValuesPut),
]  # fmt: skip
