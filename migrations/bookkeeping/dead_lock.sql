-- A committed row belongs to a plain yoyo process, which keeps its connection as long as it lives.
-- When no session of this database is as old as the row, that process is gone. Sessions whose start
-- is hidden from this role count as alive.
DELETE FROM public.yoyo_lock AS l
 WHERE NOT EXISTS (
       SELECT FROM pg_catalog.pg_stat_activity AS a
        WHERE a.datname = current_database()
          AND a.backend_type = 'client backend'
          AND a.pid <> pg_backend_pid()
          AND a.usename NOT IN ('quarry_app', 'quarry_readonly', 'quarry_monitor', 'quarry_backup')
          AND coalesce(a.backend_start <= l.ctime AT TIME ZONE 'UTC' + interval '1 minute', true))
RETURNING l.pid
