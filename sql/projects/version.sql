-- name: projects.version :value
-- The version of a live project, to tell a stale one from an absent one.
-- param: project_id uuid
-- budget: 20 buffers
SELECT p.version
  FROM workspace.projects AS p
 WHERE p.tenant_id = :tenant_id
   AND p.id = :project_id
   AND p.deleted_at IS NULL
