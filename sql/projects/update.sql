-- name: projects.update :one
-- Changes what is given of a live project, if it still has the expected version.
-- param: project_id uuid
-- param: expected_version bigint?   any version when absent (If-Match: *)
-- param: name text?
-- param: status text?
-- param: language text?             never changes; another value is refused by a trigger
-- param: current_step int?
-- param: metadata jsonb?
-- null: created_by
-- etag: version
-- budget: 50 buffers
UPDATE workspace.projects AS p
   SET name = coalesce(:name, p.name),
       status = coalesce(:status, p.status),
       language = coalesce(:language, p.language),
       current_step = coalesce(:current_step, p.current_step),
       metadata = coalesce(:metadata::jsonb, p.metadata)
 WHERE p.tenant_id = :tenant_id
   AND p.id = :project_id
   AND p.deleted_at IS NULL
   AND (:expected_version::bigint IS NULL OR p.version = :expected_version)
RETURNING p.id, p.name, p.status, p.language, p.current_step, p.metadata, p.created_by,
          p.version, p.created_at, p.updated_at
