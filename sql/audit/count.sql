-- name: audit.count :value
-- How many events audit.list has in all.
-- param: table text?          only events of this table (schema.table)
-- param: since timestamptz?   at this moment or later
-- param: until timestamptz?   before this moment
-- budget: 10000 buffers
SELECT count(*)
  FROM audit.events AS e
 WHERE e.tenant_id = :tenant_id
   AND CASE WHEN :table::text IS NULL THEN true ELSE e.table_name = :table END
   AND e.at >= greatest(:since::timestamptz, '-infinity')
   AND e.at < least(:until::timestamptz, 'infinity')
