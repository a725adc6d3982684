-- The rows of every table as ANALYZE has counted them, and its partitioned table if it is a part of
-- one; parts have the rows of the whole. Last: whether it is empty itself, as a partition to come.
SELECT n.nspname || '.' || c.relname,
       rn.nspname || '.' || r.relname,
       sum(greatest(c.reltuples, 0)) FILTER (WHERE c.relkind = 'r') OVER (PARTITION BY r.oid),
       c.relkind = 'r' AND c.reltuples = 0
  FROM pg_catalog.pg_class AS c
  JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_class AS r ON r.oid = coalesce(pg_partition_root(c.oid), c.oid)
  JOIN pg_catalog.pg_namespace AS rn ON rn.oid = r.relnamespace
 WHERE c.relkind IN ('r', 'p')
   AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
