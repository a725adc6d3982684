INSERT INTO public._quarry_migration_checksums (migration_id, apply_sha256, rollback_sha256)
VALUES (%(migration_id)s, %(apply_sha256)s, %(rollback_sha256)s)
    ON CONFLICT (migration_id) DO UPDATE
   SET apply_sha256 = excluded.apply_sha256, rollback_sha256 = excluded.rollback_sha256, recorded_at = now()
