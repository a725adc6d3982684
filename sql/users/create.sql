-- name: users.create :one
-- A new user; the e-mail address is unique among the tenant's live users (users_email_key).
-- param: email text
-- param: name text
-- param: profile jsonb?    {} when absent
-- null: last_login_at
-- budget: 20 buffers
INSERT INTO workspace.users AS u (tenant_id, email, name, profile)
VALUES (:tenant_id, :email, :name, coalesce(:profile::jsonb, '{}'))
RETURNING u.id, u.email, u.name, u.profile, u.last_login_at, u.created_at, u.updated_at
