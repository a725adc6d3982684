-- name: mappings.state :one
-- Whether an import of a live project is there, its columns, and where its flow stands.
-- param: project_id uuid
-- param: import_id uuid
-- budget: 20 buffers
SELECT i.header, f.status, f.current_phase
  FROM discovery.data_imports AS i
  JOIN discovery.master_flows AS f
    ON f.tenant_id = :tenant_id
   AND f.project_id = :project_id
   AND f.id = i.master_flow_id
 WHERE i.tenant_id = :tenant_id
   AND i.project_id = :project_id
   AND i.id = :import_id
   AND EXISTS (SELECT FROM workspace.projects AS p
                WHERE p.tenant_id = :tenant_id
                  AND p.id = :project_id
                  AND p.deleted_at IS NULL)
