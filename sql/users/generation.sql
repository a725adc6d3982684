-- name: users.generation :value
-- What a cached answer about a live user must have been made at.
-- param: user_id uuid
-- budget: 20 buffers
SELECT (extract(epoch FROM u.updated_at) * 1000000)::bigint::text AS generation
  FROM workspace.users AS u
 WHERE u.tenant_id = :tenant_id
   AND u.id = :user_id
   AND u.deleted_at IS NULL
