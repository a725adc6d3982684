-- name: files.get :one
-- One live file, without its content.
-- param: file_id uuid
-- param: owner_id uuid?         only this user's: a key that is bound to a user
-- null: conversation_id, stored_name, sha256, analysis, error, processed_at
-- budget: 20 buffers
SELECT f.id, f.user_id, f.conversation_id, f.original_name, f.stored_name, f.mime_type, f.size,
       encode(f.sha256, 'hex') AS sha256, f.path, f.analysis, f.status, f.error, f.processed_at,
       f.created_at, f.updated_at
  FROM assistant.files AS f
 WHERE f.tenant_id = :tenant_id
   AND f.id = :file_id
   AND f.deleted_at IS NULL
   AND CASE WHEN :owner_id::uuid IS NULL THEN true ELSE f.user_id = :owner_id END
