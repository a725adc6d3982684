-- name: users.find :value
-- The id of the live user with this e-mail address or id.
-- param: user text
-- budget: 2000 buffers
SELECT u.id
  FROM workspace.users AS u
 WHERE u.tenant_id = :tenant_id
   AND u.deleted_at IS NULL
   AND (lower(u.email) = lower(:user) OR u.id::text = :user)
