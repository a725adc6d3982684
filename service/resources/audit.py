"""The audit trail: who changed what, when, from what to what."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from service.database.tree import sql
from service.http.inputs import QueryParameter, identifier, moment, query, text
from service.http.paging import PAGING, TOTAL, listing
from service.http.routing import Endpoint

# Every table with the triggers of the trail; tests/schema/test_audit.py holds it to the catalogue.
TABLES = (
    "assistant.conversations",
    "assistant.files",
    "assistant.memories",
    "assistant.messages",
    "cases.attribute_values",
    "cases.case_documents",
    "cases.case_products",
    "cases.case_roles",
    "cases.cases",
    "cases.dictionary",
    "cases.dsl_proposals",
    "cases.entities",
    "cases.entity_links",
    "core.api_keys",
    "discovery.asset_conflicts",
    "discovery.assets",
    "discovery.data_imports",
    "discovery.discovery_flows",
    "discovery.field_mappings",
    "discovery.master_flows",
    "workspace.agent_executions",
    "workspace.document_versions",
    "workspace.exports",
    "workspace.project_members",
    "workspace.projects",
    "workspace.users",
)


async def index(request: Request) -> Response:
    """The audit events of the tenant, newest first. `before` and `after` hold the columns that an
    update changed, or the whole row that an insert made or a delete took; bulky columns are left
    out. Personal data that was erased reads `[erased]`.
    """
    asked = query(request)
    filters: dict[str, Any] = {name: asked[name] for name in ("table", "since", "until")}
    # a query for each index: prepared once for all values, an optional filter cannot choose one
    if asked["row_id"] is not None:
        filters |= {"row_id": asked["row_id"], "actor": asked["actor"]}
        return await listing(request, sql.audit.list_of_row, sql.audit.count_of_row, **filters)
    if asked["actor"] is not None:
        filters["actor"] = asked["actor"]
        return await listing(request, sql.audit.list_of_actor, sql.audit.count_of_actor, **filters)
    return await listing(request, sql.audit.list, sql.audit.count, **filters)


def _table(value: str) -> str:
    if value not in TABLES:
        raise ValueError("the name of a table, as events give it")
    return value


_FILTERS = {
    "table": QueryParameter(_table, {"type": "string"}, "Only events of this `table`."),
    "row_id": identifier("Only what happened to this row."),
    "actor": text("Only what this one did: `key:<id>`, `sub:<subject>`, or a database role."),
    "since": moment("Only events at this moment or later."),
    "until": moment("Only events before this moment."),
}
# A restricted key sees nothing here: events of a child do not all say of which project they are,
# and the trail names all users and keys of the tenant.
ENDPOINTS = [
    Endpoint("GET", "/audit", index, "audit", "The audit trail, newest first", "audit",
             answers="audit.list", query=_FILTERS | PAGING | TOTAL, admin=True),
]  # fmt: skip
