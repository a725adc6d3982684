"""Assets that were there before anybody asks: a flow and what it found, straight into the tables."""
# ruff: noqa: E501 (SQL in one line)

from __future__ import annotations

from typing import NamedTuple

from tests.promises.helpers import Json
from tests.support.cluster import Database

_FLOW = """
INSERT INTO discovery.master_flows (tenant_id, project_id, flow_name)
SELECT p.tenant_id, p.id, 'made for a test' FROM workspace.projects AS p WHERE p.id = %s::uuid RETURNING id::text
"""
_ASSETS = """
INSERT INTO discovery.assets (tenant_id, project_id, master_flow_id, name, asset_type, hostname, ip, environment, criticality, dependencies, custom)
SELECT f.tenant_id, f.project_id, f.id, %s::text || ' ' || n, CASE WHEN n %% 4 = 0 THEN 'database' ELSE 'server' END,
       'host-' || n || '.' || f.id, '10.0.0.0'::inet + n, CASE WHEN n %% 2 = 0 THEN 'production' END, 'high',
       ARRAY['a', 'b;c'], jsonb_build_object('rack', n)
  FROM discovery.master_flows AS f, generate_series(%s::int, %s::int) AS n WHERE f.id = %s::uuid
 ORDER BY n RETURNING id::text, name, version
"""
_UPLOADED = """
INSERT INTO discovery.master_flows (tenant_id, project_id, flow_name, current_phase)
SELECT p.tenant_id, p.id, %s::text, %s::text FROM workspace.projects AS p WHERE p.id = %s::uuid RETURNING id::text
"""
_IMPORT = """
INSERT INTO discovery.data_imports (tenant_id, project_id, master_flow_id, name, size, sha256, encoding, header, total_rows, loaded_rows, status)
SELECT f.tenant_id, f.project_id, f.id, f.flow_name, 1, sha256(f.id::text::bytea), 'utf-8', '["Host Name", "note"]', 1, 1, 'loaded'
  FROM discovery.master_flows AS f WHERE f.id = %s::uuid RETURNING id::text
"""
_REST = """
WITH import AS (
    SELECT i.tenant_id, i.project_id, i.id, i.master_flow_id, i.name FROM discovery.data_imports AS i WHERE i.id = %s::uuid
), flow AS (
    INSERT INTO discovery.discovery_flows (tenant_id, project_id, master_flow_id, data_import_id)
    SELECT i.tenant_id, i.project_id, i.master_flow_id, i.id FROM import AS i
), mapping AS (
    INSERT INTO discovery.field_mappings (tenant_id, project_id, data_import_id, source_field, target_field, match_type, confidence)
    SELECT i.tenant_id, i.project_id, i.id, 'Host Name', 'hostname', 'exact', 1 FROM import AS i
)
INSERT INTO discovery.raw_records (tenant_id, project_id, data_import_id, master_flow_id, row_number, raw, outcome)
SELECT i.tenant_id, i.project_id, i.id, i.master_flow_id, 1, jsonb_build_object('Host Name', i.name), 'conflict' FROM import AS i
RETURNING id::text
"""
_CONFLICT = """
INSERT INTO discovery.asset_conflicts (tenant_id, project_id, master_flow_id, raw_record_id, asset_id, kind, incoming)
SELECT r.tenant_id, r.project_id, r.master_flow_id, r.id, %s::uuid, 'name', jsonb_build_object('name', r.raw ->> 'Host Name')
  FROM discovery.raw_records AS r WHERE r.id = %s::uuid RETURNING id::text
"""
_STEP = "UPDATE discovery.master_flows SET status = %s, error = CASE WHEN %s = 'failed' THEN '{}'::jsonb END WHERE id = %s::uuid"
STEPS = {
    "initialized": (), "running": ("running",), "paused": ("running", "paused"), "failed": ("running", "failed"),
    "waiting_for_approval": ("running", "waiting_for_approval"), "cancelled": ("cancelled",),
    "completed": ("running", "completed"), "archived": ("cancelled", "archived"),
}  # fmt: skip


class Still(NamedTuple):
    """An import whose flow no job takes further, with one row in conflict with an asset."""

    flow: str
    inventory: str
    record: str
    asset: str
    conflict: str


def make_flow(
    database: Database,
    project: str,
    status: str = "paused",
    phase: str = "validation",
    word: str = "x",
) -> Still:
    """A flow that stands still in a status and a phase, with all that hangs on it."""
    ((flow,),) = database.psql(_UPLOADED, word, phase, project)
    for step in STEPS[status]:
        database.psql(_STEP, step, step, flow)
    ((made,),) = database.psql(_IMPORT, flow)
    ((record,),) = database.psql(_REST, made)
    place = 1000 + int(flow[-6:], 16) % 2**23  # so that no address is there twice
    asset = make_assets(database, project, word=word, first=place)[1][0]["id"]
    ((conflict,),) = database.psql(_CONFLICT, asset, record)
    return Still(flow, made, record, asset, conflict)


def make_assets(
    database: Database, project: str, count: int = 1, word: str = "host", first: int = 1
) -> tuple[str, list[Json]]:
    """The id of a new flow, and its assets: every fourth is a database, every second in production."""
    ((flow,),) = database.psql(_FLOW, project)
    rows = database.psql(_ASSETS, word, first, first + count - 1, flow)
    return flow, [{"id": i, "name": n, "version": v} for i, n, v in rows]
