-- What is there before a migration runs: what it makes itself, nobody else waits for. Partitions are
-- left out: their parent tells it.
SELECT c.oid::int8
  FROM pg_catalog.pg_class AS c
 WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
   AND NOT c.relispartition
