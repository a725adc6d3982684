-- The tables of this database that the session holds a lock on, with the mode, as pg_locks calls it.
-- Indexes are left out, and what PostgreSQL itself owns.
SELECT c.oid::int8, n.nspname || '.' || c.relname, l.mode
  FROM pg_catalog.pg_locks AS l
  JOIN pg_catalog.pg_class AS c ON c.oid = l.relation
  JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
 WHERE l.pid = pg_backend_pid()
   AND l.locktype = 'relation'
   AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
   AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
