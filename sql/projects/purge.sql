-- name: projects.purge :affected
-- Removes a softly deleted project for good, with everything below it (ON DELETE CASCADE).
-- param: project_id uuid
-- budget: 20 buffers
DELETE FROM workspace.projects AS p
 WHERE p.tenant_id = :tenant_id
   AND p.id = :project_id
   AND p.deleted_at IS NOT NULL
