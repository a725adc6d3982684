-- name: files.delete :one
-- Deletes a file: its row stays, its content is to be removed from the disk.
-- param: file_id uuid
-- param: owner_id uuid?         only this user's: a key that is bound to a user
-- null: stored_name
-- budget: 50 buffers
UPDATE assistant.files AS f
   SET deleted_at = clock_timestamp()
 WHERE f.tenant_id = :tenant_id
   AND f.id = :file_id
   AND f.deleted_at IS NULL
   AND CASE WHEN :owner_id::uuid IS NULL THEN true ELSE f.user_id = :owner_id END
RETURNING f.id, f.stored_name
