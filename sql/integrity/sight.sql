-- name: integrity.sight :value
-- Whether this role sees the rows of all tenants. One that does not would find nothing and call it well.
SELECT r.rolsuper OR r.rolbypassrls OR coalesce(pg_has_role(r.oid, to_regrole('quarry_owner'), 'USAGE'), false) AS sees_all
  FROM pg_catalog.pg_roles AS r
 WHERE r.rolname = current_user
