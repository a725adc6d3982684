-- name: projects.generation :value
-- What a cached answer about a live project must have been made at.
-- param: project_id uuid
-- budget: 20 buffers
SELECT p.version || '-' || (extract(epoch FROM p.updated_at) * 1000000)::bigint AS generation
  FROM workspace.projects AS p
 WHERE p.tenant_id = :tenant_id
   AND p.id = :project_id
   AND p.deleted_at IS NULL
