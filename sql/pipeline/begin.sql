-- name: pipeline.begin :one
-- A flow and what its phases work on.
-- param: flow_id uuid
-- null: source_system, profile
SELECT f.id, f.project_id, f.status, f.current_phase, d.id AS discovery_flow_id, d.data_import_id, i.category,
       i.source_system, i.header, i.profile
  FROM discovery.master_flows AS f
  JOIN discovery.discovery_flows AS d
    ON d.tenant_id = :tenant_id
   AND d.project_id = f.project_id
   AND d.master_flow_id = f.id
  JOIN discovery.data_imports AS i
    ON i.tenant_id = :tenant_id
   AND i.project_id = f.project_id
   AND i.id = d.data_import_id
 WHERE f.tenant_id = :tenant_id
   AND f.id = :flow_id
