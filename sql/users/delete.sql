-- name: users.delete :affected
-- Deletes a user softly: the row stays for history, the address becomes free.
-- param: user_id uuid
-- budget: 50 buffers
UPDATE workspace.users AS u
   SET deleted_at = clock_timestamp()
 WHERE u.tenant_id = :tenant_id
   AND u.id = :user_id
   AND u.deleted_at IS NULL
