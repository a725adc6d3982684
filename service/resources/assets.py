"""Assets: what an inventory was found to hold, and what people know of it besides."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncGenerator
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
import orjson
from msgspec import UNSET, Meta, UnsetType
from starlette.requests import Request
from starlette.responses import Response

from service.database.tree import sql
from service.http.answers import Answer, Stream, entity, expected_version, no_content
from service.http.coding import NDJSON
from service.http.context import session
from service.http.inputs import (
    Body,
    JsonObject,
    body,
    decode,
    identifier,
    items,
    one_of,
    path_uuid,
    query,
    raw_body,
    text,
)  # fmt: skip
from service.http.paging import PAGING, TOTAL, listing
from service.http.problems import FieldError, Problem
from service.http.routing import Endpoint
from service.resources.documents import require_project

READ, WRITE = "discovery:read", "discovery:write"

AssetType = Literal[
    "application", "server", "database", "network", "storage", "container", "middleware", "service",
    "device", "security", "domain", "website", "other",
]  # fmt: skip
Environment = Literal[
    "production", "staging", "test", "development", "disaster_recovery", "other"
]  # fmt: skip
Criticality = Literal["critical", "high", "medium", "low"]
Strategy = Literal["rehost", "replatform", "refactor", "repurchase", "retire", "retain"]
Status = Literal["discovered", "confirmed", "in_migration", "migrated", "decommissioned"]
Text = Annotated[str, Meta(min_length=1, max_length=255)]
LongText = Annotated[str, Meta(min_length=1, max_length=1000)]
Host = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^[^A-Z\s]+$")]
Ip = Annotated[str, Meta(min_length=2, max_length=50, examples=["10.0.0.1"])]
Amount = Annotated[float, Meta(ge=0, lt=1e8)]


class AssetUpdate(Body):
    """What changes; what is left out stays, and null empties what may be empty. `hostname` and
    `fqdn` are in lower case; `custom` is replaced as a whole."""

    name: Text | UnsetType = UNSET
    asset_type: AssetType | UnsetType = UNSET
    hostname: Host | UnsetType | None = UNSET
    fqdn: Host | UnsetType | None = UNSET
    ip: Ip | UnsetType | None = UNSET
    os: Text | UnsetType | None = UNSET
    os_version: Text | UnsetType | None = UNSET
    environment: Environment | UnsetType | None = UNSET
    location: LongText | UnsetType | None = UNSET
    business_owner: Text | UnsetType | None = UNSET
    technical_owner: Text | UnsetType | None = UNSET
    department: Text | UnsetType | None = UNSET
    application: Text | UnsetType | None = UNSET
    technology_stack: LongText | UnsetType | None = UNSET
    criticality: Criticality | UnsetType | None = UNSET
    cpu: Amount | UnsetType | None = UNSET
    memory_gb: Amount | UnsetType | None = UNSET
    storage_gb: Amount | UnsetType | None = UNSET
    cost: Amount | UnsetType | None = UNSET
    custom: JsonObject | UnsetType = UNSET
    six_r_strategy: Strategy | UnsetType | None = UNSET
    status: Status | UnsetType = UNSET


class AssetChange(AssetUpdate, kw_only=True):
    """One of many: what changes in which asset, and the version that it must have if it matters."""

    id: UUID
    version: Annotated[int, Meta(ge=1)] | UnsetType = UNSET


def _changes(found: Any) -> bytes:
    return msgspec.json.encode(found)


async def get(request: Request) -> Response:
    """One live asset."""
    project_id, asset_id = path_uuid(request), path_uuid(request, "asset_id")
    async with session(request) as db:
        row = await db.one(sql.assets.get, project_id=project_id, asset_id=asset_id)
        return entity(row, request)


async def index(request: Request) -> Response:
    """The live assets, newest first, without `custom` and `debt_findings`."""
    asked, project_id = query(request), path_uuid(request)
    await require_project(request, project_id)
    filters = {name: asked[name] for name in _FILTERS if name != "flow"}
    if asked["flow"] is not None:  # the queries differ in the index that they go by
        return await listing(
            request, sql.assets.list_of_flow, sql.assets.count_of_flow,
            project_id=project_id, flow=asked["flow"], **filters,
        )  # fmt: skip
    return await listing(
        request, sql.assets.list, sql.assets.count, project_id=project_id, **filters
    )


async def update(request: Request) -> Response:
    """Change an asset that still has the version of If-Match."""
    expected = expected_version(request)
    changes = _changes(await body(request, AssetUpdate))
    project_id, asset_id = path_uuid(request), path_uuid(request, "asset_id")
    async with session(request) as db:
        row = await db.one(
            sql.assets.update, project_id=project_id, asset_id=asset_id,
            expected_version=expected, changes=changes,
        )  # fmt: skip
        if row is None:
            raise await _missing_or_stale(db, project_id, asset_id)
        return entity(row, request)


async def update_many(request: Request) -> Response:
    """Change up to 10,000 assets, all or nothing; the ids in order. An item may name the version
    that its asset must have."""
    project_id = path_uuid(request)
    await require_project(request, project_id)
    found = items(decode(await raw_body(request), list[AssetChange]))
    _refuse_repeated(found)
    changes = _changes(found)
    async with session(request) as db, db.transaction():
        row = await db.one(sql.assets.update_many, project_id=project_id, items=changes)
        if row is None or orjson.loads(row.body)["count"] != len(found):
            raise await _unfit(db, project_id, changes)
        return Answer(row.body)


def _refuse_repeated(found: list[AssetChange]) -> None:
    seen: set[UUID] = set()
    errors = []
    for place, item in enumerate(found):
        if item.id in seen:
            errors.append(FieldError(f"/{place}/id", "repeated", "an earlier item names it too"))
        seen.add(item.id)
    if errors:
        raise Problem("validation", errors=errors[:100])


async def _unfit(db: Any, project_id: Any, changes: bytes) -> Problem:
    """Which items are at fault: 422 for those that name no asset, else 412 for other versions."""
    rows = await db.fetch(sql.assets.unfit, project_id=project_id, items=changes)
    absent = [
        FieldError(f"/{row['place']}/id", "unknown", "no such asset")
        for row in rows if not row["is_there"]
    ]  # fmt: skip
    if absent:
        return Problem("validation", errors=absent)
    stale = [
        FieldError(f"/{row['place']}/version", "stale", "it has another version") for row in rows
    ]
    return Problem("stale_etag", errors=stale)


async def delete(request: Request) -> Response:
    """Soft delete, of the version of If-Match."""
    expected = expected_version(request)
    project_id, asset_id = path_uuid(request), path_uuid(request, "asset_id")
    async with session(request) as db:
        if not await db.execute(
            sql.assets.delete, project_id=project_id, asset_id=asset_id, expected_version=expected
        ):
            raise await _missing_or_stale(db, project_id, asset_id)
    return no_content()


async def _missing_or_stale(db: Any, project_id: Any, asset_id: Any) -> Problem:
    found = await db.value(sql.assets.version, project_id=project_id, asset_id=asset_id)
    return Problem("not_found" if found is None else "stale_etag")


async def restore(request: Request) -> Response:
    """Bring a softly deleted asset back; 409 when it is live, or when a live asset of its type has
    its hostname or ip by now."""
    project_id, asset_id = path_uuid(request), path_uuid(request, "asset_id")
    async with session(request) as db:
        row = await db.one(sql.assets.restore, project_id=project_id, asset_id=asset_id)
        if row is None:
            if await db.value(sql.assets.version, project_id=project_id, asset_id=asset_id) is None:
                raise Problem("not_found")
            raise Problem("conflict", "The asset is not deleted.")
        return entity(row, request)


async def summary(request: Request) -> Response:
    """The live assets in figures. Under "" are those of which it is not known."""
    async with session(request) as db:
        return entity(await db.one(sql.assets.summary, project_id=path_uuid(request)), request)


async def export(request: Request) -> Response:
    """All live assets that match as one file, read as it is sent. In CSV lists are joined by `;`,
    and `custom` and `debt_findings` are JSON."""
    asked, project_id = query(request), path_uuid(request)
    await require_project(request, project_id)
    filters = {name: asked[name] for name in _FILTERS if name != "flow"}
    if asked["flow"] is None:
        rows = session(request).stream(sql.assets.export, project_id=project_id, **filters)
    else:
        rows = session(request).stream(
            sql.assets.export_of_flow, project_id=project_id, flow=asked["flow"], **filters
        )
    is_csv = asked["format"] != "ndjson"
    name = f'attachment; filename="assets.{"csv" if is_csv else "ndjson"}"'.encode()
    if request.method == "HEAD":
        await rows.aclose()
        rows = _nothing()
    return Stream(
        _as_csv(rows) if is_csv else rows,
        b"text/csv; charset=utf-8" if is_csv else NDJSON,
        [(b"content-disposition", name)],
    )


async def _nothing() -> AsyncGenerator[bytes, None]:
    for chunk in list[bytes]():
        yield chunk


async def _as_csv(rows: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """Lines of JSON as CSV (RFC 4180), some hundred rows at a time."""
    yield ",".join(COLUMNS).encode() + b"\r\n"
    async for chunk in rows:
        out = io.StringIO()
        writer = csv.writer(out)
        for line in chunk.splitlines():
            row = orjson.loads(line)
            writer.writerow([_cell(name, row[name]) for name in COLUMNS])
        yield out.getvalue().encode()


def _cell(name: str, value: Any) -> Any:
    if name in ("custom", "debt_findings"):
        return orjson.dumps(value).decode()
    return ";".join(map(str, value)) if isinstance(value, list) else value


COLUMNS = (
    "id", "project_id", "master_flow_id", "discovery_flow_id", "raw_record_id", "name",
    "asset_type", "hostname", "fqdn", "ip", "os", "os_version", "environment", "location",
    "business_owner", "technical_owner", "department", "application", "technology_stack",
    "criticality", "cpu", "memory_gb", "storage_gb", "cost", "dependencies", "custom",
    "six_r_strategy", "end_of_life", "debt_score", "debt_findings", "status", "version",
    "created_at", "updated_at",
)  # fmt: skip
_FILTERS = {
    "asset_type": one_of("Only this type.", *AssetType.__args__),  # type: ignore[attr-defined]
    "status": one_of("Only this status.", *Status.__args__),  # type: ignore[attr-defined]
    "environment": one_of("Only this environment.", *Environment.__args__),  # type: ignore[attr-defined]
    "q": text("Part of the name, hostname, fqdn or ip; case does not matter."),
    "flow": identifier("Only what this master flow made."),
}
_FORMAT = {"format": one_of("csv, unless ndjson is asked for.", "csv", "ndjson")}
_ALL = "/projects/{project_id}/assets"
_ONE = _ALL + "/{asset_id}"
ENDPOINTS = [
    Endpoint("GET", _ALL, index, READ, "List assets, newest first", "assets",
             answers="assets.list", query=_FILTERS | PAGING | TOTAL),
    Endpoint("PATCH", _ALL, update_many, WRITE, "Change many assets, all or nothing", "assets",
             200, "assets.update_many", list[AssetChange], problems=("duplicate", "stale_etag")),
    Endpoint("GET", _ALL + "/summary", summary, READ, "Assets in figures", "assets",
             answers="assets.summary"),
    Endpoint("GET", _ALL + "/export", export, READ, "All assets as CSV or NDJSON", "assets",
             answers="assets.export", query=_FILTERS | _FORMAT, timeout_ms=60_000,
             media_type="text/csv", schema={"type": "string"}),
    Endpoint("GET", _ONE, get, READ, "One asset", "assets", answers="assets.get", etag=True),
    Endpoint("PATCH", _ONE, update, WRITE, "Change an asset", "assets", 200, "assets.update",
             AssetUpdate, precondition=True, etag=True, problems=("duplicate",)),
    Endpoint("DELETE", _ONE, delete, WRITE, "Delete an asset softly", "assets", 204,
             precondition=True),
    Endpoint("POST", _ONE + "/restore", restore, WRITE, "Bring a deleted asset back", "assets",
             200, "assets.restore", etag=True, problems=("conflict", "duplicate")),
]  # fmt: skip
