SELECT c.migration_id, c.apply_sha256, c.rollback_sha256
  FROM public._quarry_migration_checksums AS c
