-- name: files.same :one
-- The live file of a user with this content.
-- param: user_id uuid
-- param: sha256 bytea?
-- null: conversation_id, stored_name, sha256, analysis, error, processed_at
-- budget: 50 buffers
SELECT f.id, f.user_id, f.conversation_id, f.original_name, f.stored_name, f.mime_type, f.size,
       encode(f.sha256, 'hex') AS sha256, f.path, f.analysis, f.status, f.error, f.processed_at,
       f.created_at, f.updated_at
  FROM assistant.files AS f
 WHERE f.tenant_id = :tenant_id
   AND f.sha256 = :sha256
   -- not =: of most users there are so few files that the list's index would look as good
   AND f.user_id IS NOT DISTINCT FROM :user_id
   AND f.deleted_at IS NULL
