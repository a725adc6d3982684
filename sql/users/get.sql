-- name: users.get :one
-- One live user.
-- param: user_id uuid
-- null: last_login_at
-- budget: 20 buffers
SELECT u.id, u.email, u.name, u.profile, u.last_login_at, u.created_at, u.updated_at
  FROM workspace.users AS u
 WHERE u.tenant_id = :tenant_id
   AND u.id = :user_id
   AND u.deleted_at IS NULL
