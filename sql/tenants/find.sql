-- name: tenants.find :one
-- A tenant by name or id. Operator only.
-- param: tenant text
-- null: disabled_at
SELECT t.id, t.name, t.disabled_at
  FROM core.tenants AS t
 WHERE t.name = :tenant
    OR t.id::text = :tenant
