-- name: flows.state :one
-- Where a flow of a live project stands, and what it waits for.
-- param: project_id uuid
-- param: flow_id uuid
-- budget: 100 buffers
SELECT f.version, f.status, f.current_phase, cardinality(discovery.flow_steps(f.status)) = 0 AS is_final,
       f.status IN ('completed', 'cancelled', 'archived') AS is_over,
       (SELECT count(*)::int
          FROM discovery.discovery_flows AS d
          JOIN discovery.field_mappings AS m
            ON m.tenant_id = :tenant_id
           AND m.project_id = :project_id
           AND m.data_import_id = d.data_import_id
         WHERE d.tenant_id = :tenant_id
           AND d.project_id = :project_id
           AND d.master_flow_id = f.id) AS columns,
       (SELECT count(*)::int
          FROM discovery.discovery_flows AS d
          JOIN discovery.field_mappings AS m
            ON m.tenant_id = :tenant_id
           AND m.project_id = :project_id
           AND m.data_import_id = d.data_import_id
           AND m.status = 'approved'
         WHERE d.tenant_id = :tenant_id
           AND d.project_id = :project_id
           AND d.master_flow_id = f.id) AS approved,
       (SELECT count(*)::int
          FROM discovery.asset_conflicts AS c
         WHERE c.tenant_id = :tenant_id
           AND c.project_id = :project_id
           AND c.master_flow_id = f.id
           AND c.resolution IS NULL) AS open_conflicts
  FROM discovery.master_flows AS f
 WHERE f.tenant_id = :tenant_id
   AND f.project_id = :project_id
   AND f.id = :flow_id
   AND EXISTS (SELECT FROM workspace.projects AS p
                WHERE p.tenant_id = :tenant_id
                  AND p.id = :project_id
                  AND p.deleted_at IS NULL)
