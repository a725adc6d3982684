SELECT m.migration_id, m.applied_at_utc AT TIME ZONE 'UTC' AS applied_at
  FROM public._yoyo_migration AS m
 ORDER BY m.migration_id
