-- name: erasure.memories :many
-- Removes a user's memories for good.
-- param: user_id uuid
-- budget: 20000 buffers
DELETE FROM assistant.memories AS m
 WHERE m.tenant_id = :tenant_id
   AND m.user_id = :user_id
RETURNING m.id
