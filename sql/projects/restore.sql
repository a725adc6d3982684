-- name: projects.restore :one
-- Brings a softly deleted project back, with all that is below it.
-- param: project_id uuid
-- null: created_by
-- etag: version
-- budget: 20 buffers
UPDATE workspace.projects AS p
   SET deleted_at = NULL
 WHERE p.tenant_id = :tenant_id
   AND p.id = :project_id
   AND p.deleted_at IS NOT NULL
RETURNING p.id, p.name, p.status, p.language, p.current_step, p.metadata, p.created_by,
          p.version, p.created_at, p.updated_at
