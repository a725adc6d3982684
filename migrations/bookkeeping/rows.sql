-- One query per table of ours, which answers its name and its rows as JSON.
SELECT format('SELECT %L, to_jsonb(t) FROM %s AS t', c.oid::regclass, c.oid::regclass)
  FROM pg_catalog.pg_class AS c
  JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
   AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast', 'public')
 ORDER BY 1
