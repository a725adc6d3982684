-- name: erasure.files :many
-- Removes a user's files for good; what lies on the disk of them.
-- param: user_id uuid
-- null: stored_name
-- budget: 20000 buffers
DELETE FROM assistant.files AS f
 WHERE f.tenant_id = :tenant_id
   AND f.user_id = :user_id
RETURNING f.id, f.stored_name
