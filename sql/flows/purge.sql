-- name: flows.purge :affected
-- Removes a flow of a live project that does not run, with its import, rows, mappings, conflicts and assets.
-- param: project_id uuid
-- param: flow_id uuid
-- param: expected_version bigint?   any version when absent
-- budget: 20 buffers
DELETE FROM discovery.master_flows AS f
 WHERE f.tenant_id = :tenant_id
   AND f.project_id = :project_id
   AND f.id = :flow_id
   AND f.status <> 'running'
   AND CASE WHEN :expected_version::bigint IS NULL THEN true ELSE f.version = :expected_version END
   AND EXISTS (SELECT FROM workspace.projects AS p
                WHERE p.tenant_id = :tenant_id
                  AND p.id = :project_id
                  AND p.deleted_at IS NULL)
