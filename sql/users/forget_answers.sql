-- name: users.forget_answers :affected
-- Empties the stored answer that shows a user, so that no replay brings erased data back. It stays
-- stored, and answers that only name the user's id stay whole: else a replay would do its work again.
-- param: user_id uuid
-- budget: 5000 buffers
UPDATE core.idempotency AS i
   SET body = NULL
 WHERE i.tenant_id = :tenant_id
   AND i.headers @> jsonb_build_array(jsonb_build_array('location', '/users/' || :user_id::uuid))
