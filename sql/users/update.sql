-- name: users.update :one
-- Changes what is given of a live user.
-- param: user_id uuid
-- param: email text?
-- param: name text?
-- param: profile jsonb?
-- null: last_login_at
-- budget: 20 buffers
UPDATE workspace.users AS u
   SET email = coalesce(:email, u.email),
       name = coalesce(:name, u.name),
       profile = coalesce(:profile::jsonb, u.profile)
 WHERE u.tenant_id = :tenant_id
   AND u.id = :user_id
   AND u.deleted_at IS NULL
RETURNING u.id, u.email, u.name, u.profile, u.last_login_at, u.created_at, u.updated_at
