-- name: exports.file :one
-- What a download needs to know of an export.
-- param: project_id uuid
-- param: export_id uuid
-- null: file_name, file_size, file_sha256, error_message
-- budget: 20 buffers
SELECT e.format, e.file_name, e.file_size, encode(e.file_sha256, 'hex') AS file_sha256, e.error_message,
       CASE WHEN e.status = 'completed' AND e.expires_at <= now() THEN 'expired' ELSE e.status END AS status
  FROM workspace.exports AS e
  JOIN workspace.projects AS p
    ON p.tenant_id = :tenant_id
   AND p.id = e.project_id
   AND p.deleted_at IS NULL
 WHERE e.tenant_id = :tenant_id
   AND e.project_id = :project_id
   AND e.id = :export_id
