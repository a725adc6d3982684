"""Cases: append-only documents, and the tables that are a projection of them."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import UNSET, Meta, UnsetType
from starlette.requests import Request
from starlette.responses import Response

from service.database.tree import sql
from service.http.answers import entity, json_answer
from service.http.context import session
from service.http.inputs import (
    Body,
    QueryParameter,
    body,
    number,
    path_text,
    path_uuid,
    query,
    text,
)
from service.http.paging import PAGING, listing
from service.http.problems import Problem
from service.http.routing import Endpoint
from service.resources.diff import unified
from service.resources.dsl import (
    ACCEPTS,
    OPTIONS,
    READ,
    WRITE,
    DslDocument,
    DslOptions,
    Version,
    document,
)
from service.resources.execution import EXECUTE_PROBLEMS, EXECUTED, TIMEOUT_MS, run
from service.resources.order import Order


class CaseRollback(Body):
    """Back to what the case was at a version, as a new version."""

    version: Annotated[int, Meta(ge=1, le=2_147_483_647)]
    expected_version: Version | UnsetType = UNSET
    dry_run: bool = False


async def index(request: Request) -> Response:
    """The cases of a project, latest change first."""
    asked, project_id = query(request), path_uuid(request)
    async with session(request) as db:
        if await db.value(sql.projects.version, project_id=project_id) is None:
            raise Problem("not_found")
    return await listing(
        request, sql.cases.list, project_id=project_id, status=asked["status"], state=asked["state"]
    )


async def get(request: Request) -> Response:
    """One case with its roles, documents and products."""
    async with session(request) as db:
        return entity(
            await db.one(
                sql.cases.get, project_id=path_uuid(request), case_id=path_text(request, "case_id")
            ),
            request,
        )


async def append(request: Request) -> Response:
    """A document appended to a case, and carried out."""
    case_id = await _existing(request)
    content, options = await document(request)
    order = Order(content, path_uuid(request), "append", case_id)
    if options.replace:
        order.change_kind = "replace"
    return await run(request, options, order)


async def _existing(request: Request) -> str:
    """The case of the path. Raises Problem not_found."""
    case_id = path_text(request, "case_id")
    await _current(request, case_id)
    return case_id


async def _current(request: Request, case_id: str) -> int:
    async with session(request) as db:
        found = await db.value(sql.cases.current, project_id=path_uuid(request), case_id=case_id)
    if found is None:
        raise Problem("not_found")
    return int(found)


async def versions(request: Request) -> Response:
    """The versions of a case, newest first."""
    case_id = await _existing(request)
    return await listing(
        request, sql.cases.versions, project_id=path_uuid(request), case_id=case_id
    )


async def version(request: Request) -> Response:
    """One version with its text and syntax tree."""
    case_id = await _existing(request)
    wanted = path_text(request, "version")
    if not wanted.isascii() or not wanted.isdigit() or len(wanted) > 9:
        raise Problem("not_found")
    async with session(request) as db:
        row = await db.one(
            sql.cases.version, project_id=path_uuid(request), case_id=case_id, version=int(wanted)
        )
        return entity(row, request)


async def events(request: Request) -> Response:
    """Every form that was executed for a case, newest first."""
    case_id = await _existing(request)
    return await listing(request, sql.cases.events, project_id=path_uuid(request), case_id=case_id)


async def difference(request: Request) -> Response:
    """A unified diff of what the case consists of at two versions."""
    asked, case_id = query(request), path_text(request, "case_id")
    current = await _current(request, case_id)
    last = asked["to"] if asked["to"] is not None else current
    first = asked["from"] if asked["from"] is not None else max(last - 1, 1)
    if max(first, last) > current:
        raise Problem("not_found")
    before, after = await state(request, case_id, first), await state(request, case_id, last)
    return json_answer({
        "from": first, "to": last, "equal": before == after,
        "diff": unified((f"{case_id}@{first}", before), (f"{case_id}@{last}", after)),
    })  # fmt: skip


async def state(request: Request, case_id: str, at: int) -> str:
    """The document that a case is at a version: everything since it was last made anew."""
    async with session(request) as db:
        rows = await db.fetch(
            sql.cases.texts, project_id=path_uuid(request), case_id=case_id, version=at
        )
    return "".join(row["dsl"] if row["dsl"].endswith("\n") else row["dsl"] + "\n" for row in rows)


async def rollback(request: Request) -> Response:
    """Back to a version, by a new one that says what the case was then."""
    case_id = path_text(request, "case_id")
    current = await _current(request, case_id)
    wanted = await body(request, CaseRollback)
    if wanted.version > current:
        raise Problem("not_found")
    content = await state(request, case_id, wanted.version)
    order = Order(
        content, path_uuid(request), "rollback", case_id, change_kind="rollback",
        base_version=wanted.version,
    )  # fmt: skip
    options = DslOptions(
        strict=False, dry_run=wanted.dry_run, expected_version=wanted.expected_version
    )
    return await run(request, options, order)


def _version(meaning: str) -> QueryParameter:
    return number(meaning, 1, 2_147_483_647)


_DIFF: dict[str, Any] = {
    "type": "object", "required": ["from", "to", "equal", "diff"],
    "properties": {"from": {"type": "integer"}, "to": {"type": "integer"},
                   "equal": {"type": "boolean"}, "diff": {"type": "string"}},
}  # fmt: skip
_ALL = "/projects/{project_id}/cases"
_ONE = _ALL + "/{case_id}"
ENDPOINTS = [
    Endpoint("GET", _ALL, index, READ, "List cases, latest change first", "cases",
             answers="cases.list",
             query={"status": text("Only this status.", most=50),
                    "state": text("Only this state.", most=50)} | PAGING),
    Endpoint("GET", _ONE, get, READ, "One case", "cases", answers="cases.get", etag=True),
    Endpoint("POST", _ONE + "/dsl", append, WRITE, "Append a document to a case", "cases",
             body=DslDocument, schema=EXECUTED, query=OPTIONS, timeout_ms=TIMEOUT_MS,
             problems=EXECUTE_PROBLEMS, accepts=ACCEPTS, headers=("IfMatchVersion",)),
    Endpoint("GET", _ONE + "/versions", versions, READ, "The versions of a case", "cases",
             answers="cases.versions", query=dict(PAGING)),
    Endpoint("GET", _ONE + "/versions/{version}", version, READ, "One version of a case", "cases",
             answers="cases.version"),
    Endpoint("GET", _ONE + "/diff", difference, READ, "What changed between two versions", "cases",
             schema=_DIFF, query={"from": _version("Default: the version before `to`."),
                                  "to": _version("Default: the last one.")}),
    Endpoint("POST", _ONE + "/rollback", rollback, WRITE, "Back to an older version", "cases",
             body=CaseRollback, schema=EXECUTED, timeout_ms=TIMEOUT_MS,
             problems=EXECUTE_PROBLEMS, headers=("IfMatchVersion",)),
    Endpoint("GET", _ONE + "/events", events, READ, "Every form that was executed", "cases",
             answers="cases.events", query=dict(PAGING)),
]  # fmt: skip
