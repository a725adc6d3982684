-- name: health.head :value
-- The newest migration that is applied, as yoyo records it.
-- null: head
SELECT max(m.migration_id) AS head
  FROM public._yoyo_migration AS m
