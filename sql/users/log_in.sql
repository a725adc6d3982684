-- name: users.log_in :one
-- Gets the live user with this e-mail address or makes one, and notes the login. However many
-- calls run at once, one row is made and all of them answer it.
-- param: email text
-- param: name text?        of a new user; the part before the @ when absent
-- param: profile jsonb?    of a new user
-- null: last_login_at
-- budget: 50 buffers
INSERT INTO workspace.users AS u (tenant_id, email, name, profile, last_login_at)
VALUES (:tenant_id, :email, coalesce(:name, left(split_part(:email, '@', 1), 255)),
        coalesce(:profile::jsonb, '{}'), clock_timestamp())
    ON CONFLICT (tenant_id, lower(email)) WHERE deleted_at IS NULL
    DO UPDATE SET last_login_at = clock_timestamp()
RETURNING u.id, u.email, u.name, u.profile, u.last_login_at, u.created_at, u.updated_at
