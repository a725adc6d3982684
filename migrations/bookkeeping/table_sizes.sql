-- How large these tables (%(tables)s, schema.name) are: what PostgreSQL estimates (NULL: it was
-- never analyzed), whether an exact count would be cheap and see all rows, and the bytes.
SELECT n.nspname || '.' || c.relname,
       CASE WHEN parts.unknown THEN NULL ELSE parts.tuples END::float8,
       parts.bytes < 8388608 AND NOT row_security_active(c.oid),
       parts.bytes::int8
  FROM pg_catalog.pg_class AS c
  JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
 CROSS JOIN LATERAL
       (SELECT coalesce(sum(p.reltuples) FILTER (WHERE p.reltuples >= 0), 0) AS tuples,
               bool_or(p.reltuples < 0) AS unknown,
               sum(pg_table_size(p.oid)) AS bytes
          FROM pg_catalog.pg_class AS p
         WHERE p.relkind IN ('r', 'm')
           AND (p.oid = c.oid OR p.oid IN (SELECT t.relid FROM pg_partition_tree(c.oid) AS t))) AS parts
 WHERE n.nspname || '.' || c.relname = ANY (%(tables)s)
