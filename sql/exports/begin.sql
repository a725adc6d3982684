-- name: exports.begin :one
-- An attempt at building an export begins: what to build. No row when the export is gone or built.
-- param: export_id uuid
-- null: document_types
-- budget: 20 buffers
UPDATE workspace.exports AS e
   SET status = 'running'
  FROM workspace.projects AS p
 WHERE e.tenant_id = :tenant_id
   AND e.id = :export_id
   AND e.status IN ('pending', 'running', 'failed')
   AND p.tenant_id = :tenant_id
   AND p.id = e.project_id
RETURNING e.project_id, e.format, e.document_types, e.versions, p.name AS project_name, p.language,
          p.deleted_at IS NULL AS is_live
