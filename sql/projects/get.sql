-- name: projects.get :one
-- One live project.
-- param: project_id uuid
-- null: created_by
-- etag: version
-- budget: 20 buffers
SELECT p.id, p.name, p.status, p.language, p.current_step, p.metadata, p.created_by,
       p.version, p.created_at, p.updated_at
  FROM workspace.projects AS p
 WHERE p.tenant_id = :tenant_id
   AND p.id = :project_id
   AND p.deleted_at IS NULL
