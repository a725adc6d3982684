-- yoyo_lock is yoyo's own table, as it makes it; made here because yoyo tries it at every start and
-- leaves an error in the server's log each time.
CREATE TABLE IF NOT EXISTS public.yoyo_lock (
    locked int DEFAULT 1 PRIMARY KEY,
    ctime timestamp,
    pid int NOT NULL
);

CREATE TABLE IF NOT EXISTS public._quarry_migration_checksums (
    migration_id text PRIMARY KEY,
    apply_sha256 text NOT NULL,
    rollback_sha256 text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now()
);
