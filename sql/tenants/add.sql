-- name: tenants.add :one
-- A new tenant. Operator only.
-- param: name text      a slug: lower-case letters, digits, hyphens
INSERT INTO core.tenants AS t (name)
VALUES (:name)
RETURNING t.id, t.name, t.created_at
