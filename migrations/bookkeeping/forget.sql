DELETE FROM public._quarry_migration_checksums AS c WHERE c.migration_id = %(migration_id)s
