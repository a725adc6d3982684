-- name: files.list :page
-- A user's live files, newest first.
-- param: user_id uuid            whose
-- param: status text?            only this status
-- param: after_created_at timestamptz?
-- param: after_id uuid?
-- param: limit int?
-- cursor: created_at desc, id desc
-- null: conversation_id, stored_name, sha256, analysis, error, processed_at
-- plan: index
-- budget: 200 buffers
SELECT f.id, f.user_id, f.conversation_id, f.original_name, f.stored_name, f.mime_type, f.size,
       encode(f.sha256, 'hex') AS sha256, f.path, f.analysis, f.status, f.error, f.processed_at,
       f.created_at, f.updated_at
  FROM assistant.files AS f
 WHERE f.tenant_id = :tenant_id
   AND f.user_id = :user_id
   AND f.deleted_at IS NULL
   AND CASE WHEN :status::text IS NULL THEN true ELSE f.status = :status END
   AND (f.created_at, f.id) < (least(:after_created_at::timestamptz, 'infinity'),
                               least(:after_id::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
 ORDER BY f.created_at DESC, f.id DESC
 LIMIT :limit
