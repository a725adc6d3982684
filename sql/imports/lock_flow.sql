-- name: imports.lock_flow :value
-- Waits for the phase that works on the flow of an import of a live project, and keeps others out until the
-- end of the transaction. No row when there is no such import; refused as any lock that takes too long.
-- param: project_id uuid
-- param: import_id uuid
-- route: primary
-- plan: index
-- budget: 20 buffers
SELECT pg_advisory_xact_lock(hashtextextended(concat('flow ', :tenant_id::uuid, ' ', i.master_flow_id), 0))::text AS locked
  FROM discovery.data_imports AS i
 WHERE i.tenant_id = :tenant_id
   AND i.project_id = :project_id
   AND i.id = :import_id
   AND EXISTS (SELECT FROM workspace.projects AS p
                WHERE p.tenant_id = :tenant_id
                  AND p.id = :project_id
                  AND p.deleted_at IS NULL)
