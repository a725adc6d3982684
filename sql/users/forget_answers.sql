-- name: users.forget_answers :affected
-- Drops the stored answers that show a user, so that no replay brings erased data back.
-- param: user_id uuid
DELETE FROM core.idempotency AS i
 WHERE i.tenant_id = :tenant_id
   AND position(convert_to(:user_id::uuid::text, 'UTF8') IN i.body) > 0
