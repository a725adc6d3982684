-- What the session of a migration (%(pid)s) does now, who stands in its way, and how far an index is.
-- Of sessions of other roles a role that is no superuser may see less.
SELECT a.query,
       coalesce((SELECT json_agg(json_build_object(
                            'pid', b.pid, 'application', b.application_name, 'user', b.usename, 'state', b.state,
                            'seconds', extract(epoch FROM clock_timestamp() - coalesce(b.xact_start, b.backend_start))::int,
                            'query', left(b.query, 200)) ORDER BY b.xact_start)
                   FROM pg_catalog.pg_stat_activity AS b
                  WHERE b.pid = ANY (pg_blocking_pids(a.pid))), '[]'),
       (SELECT p.phase || CASE WHEN p.blocks_total > 0 THEN format(', %%s %%%%', 100 * p.blocks_done / p.blocks_total) ELSE '' END
          FROM pg_catalog.pg_stat_progress_create_index AS p
         WHERE p.pid = a.pid)
  FROM pg_catalog.pg_stat_activity AS a
 WHERE a.pid = %(pid)s
