-- name: exports.list :page
-- The exports of a live project, newest first, without what is in each.
-- param: project_id uuid
-- param: after_created_at timestamptz?
-- param: after_id uuid?
-- param: limit int?
-- cursor: created_at desc, id desc
-- null: document_types, file_name, file_size, file_sha256, error_message, expires_at, completed_at, created_by
-- plan: index
-- allow: sort the reference data has no exports; with many, their index gives the order
-- budget: 20 buffers
SELECT e.id, e.project_id, e.format, e.document_types, e.versions,
       CASE WHEN e.status = 'completed' AND e.expires_at <= now() THEN 'expired' ELSE e.status END AS status,
       CASE WHEN e.status IN ('completed', 'expired') THEN 100 ELSE coalesce(j.progress, 0) END AS progress,
       e.file_name, e.file_size, encode(e.file_sha256, 'hex') AS file_sha256,
       e.error_message, e.expires_at, e.completed_at, e.download_count, e.created_by,
       e.created_at, e.updated_at
  FROM workspace.exports AS e
  LEFT JOIN ops.jobs AS j
    ON j.tenant_id = :tenant_id
   AND j.id = e.id
 WHERE e.tenant_id = :tenant_id
   AND e.project_id = :project_id
   AND EXISTS (SELECT FROM workspace.projects AS p
                WHERE p.tenant_id = :tenant_id
                  AND p.id = :project_id
                  AND p.deleted_at IS NULL)
   AND (e.created_at, e.id) < (least(:after_created_at::timestamptz, 'infinity'),
                               least(:after_id::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
 ORDER BY e.created_at DESC, e.id DESC
 LIMIT :limit
