-- name: pipeline.open_conflicts :value
-- How many conflicts of a flow nobody has resolved.
-- param: project_id uuid
-- param: flow_id uuid
SELECT count(*)::int AS conflicts
  FROM discovery.asset_conflicts AS c
 WHERE c.tenant_id = :tenant_id
   AND c.project_id = :project_id
   AND c.master_flow_id = :flow_id
   AND c.resolution IS NULL
