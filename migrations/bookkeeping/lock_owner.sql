-- The session that holds the advisory lock of this database's migrations.
SELECT a.pid, a.usename, a.backend_start
  FROM pg_catalog.pg_locks AS l
  JOIN pg_catalog.pg_stat_activity AS a ON a.pid = l.pid
 WHERE l.locktype = 'advisory'
   AND l.granted
   AND l.objsubid = 1
   AND a.datname = current_database()
   AND ((l.classid::int8 << 32) | l.objid::int8) = hashtextextended('quarry.migrate', 0)
