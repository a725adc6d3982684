-- name: files.processed :one
-- Notes how the processing of a file ended; no row when there is no such file, or it had ended.
-- param: file_id uuid
-- param: owner_id uuid?         only this user's: a key that is bound to a user
-- param: analysis jsonb?
-- param: error text?             it failed
-- null: conversation_id, stored_name, sha256, analysis, error, processed_at
-- budget: 100 buffers
UPDATE assistant.files AS f
   SET status = CASE WHEN :error::text IS NULL THEN 'processed' ELSE 'failed' END,
       analysis = coalesce(:analysis::jsonb, f.analysis),
       error = :error,
       processed_at = clock_timestamp()
 WHERE f.tenant_id = :tenant_id
   AND f.id = :file_id
   AND f.deleted_at IS NULL
   AND CASE WHEN :owner_id::uuid IS NULL THEN true ELSE f.user_id = :owner_id END
   AND f.status IN ('uploaded', 'processing')
RETURNING f.id, f.user_id, f.conversation_id, f.original_name, f.stored_name, f.mime_type, f.size,
          encode(f.sha256, 'hex') AS sha256, f.path, f.analysis, f.status, f.error, f.processed_at,
          f.created_at, f.updated_at
