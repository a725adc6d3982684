-- name: exports.get :one
-- One export of a live project, with how far it is.
-- param: project_id uuid
-- param: export_id uuid
-- null: document_types, file_name, file_size, file_sha256, error_message, expires_at, completed_at, created_by
-- budget: 20 buffers
SELECT e.id, e.project_id, e.format, e.document_types, e.versions,
       CASE WHEN e.status = 'completed' AND e.expires_at <= now() THEN 'expired' ELSE e.status END AS status,
       CASE WHEN e.status IN ('completed', 'expired') THEN 100 ELSE coalesce(j.progress, 0) END AS progress,
       e.manifest, e.file_name, e.file_size, encode(e.file_sha256, 'hex') AS file_sha256,
       e.error_message, e.expires_at, e.completed_at, e.download_count, e.created_by,
       e.created_at, e.updated_at
  FROM workspace.exports AS e
  JOIN workspace.projects AS p
    ON p.tenant_id = :tenant_id
   AND p.id = e.project_id
   AND p.deleted_at IS NULL
  LEFT JOIN ops.jobs AS j
    ON j.tenant_id = :tenant_id
   AND j.id = e.id
 WHERE e.tenant_id = :tenant_id
   AND e.project_id = :project_id
   AND e.id = :export_id
