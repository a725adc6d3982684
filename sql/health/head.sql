-- name: health.head :value
-- The newest migration that is applied, as yoyo records it.
-- null: head
-- allow: tenant_predicate the record of migrations belongs to the database, not to a tenant
SELECT max(m.migration_id) AS head
  FROM public._yoyo_migration AS m
