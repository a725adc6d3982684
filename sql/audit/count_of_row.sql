-- name: audit.count_of_row :value
-- How many events audit.list_of_row has in all.
-- param: row_id uuid
-- param: table text?          only events of this table (schema.table)
-- param: actor text?          only what this actor did
-- param: since timestamptz?   at this moment or later
-- param: until timestamptz?   before this moment
-- budget: 20 buffers
SELECT count(*)
  FROM audit.events AS e
 WHERE e.tenant_id = :tenant_id
   AND e.row_id = :row_id
   AND CASE WHEN :table::text IS NULL THEN true ELSE e.table_name = :table END
   AND CASE WHEN :actor::text IS NULL THEN true ELSE e.actor = :actor END
   AND e.at >= greatest(:since::timestamptz, '-infinity')
   AND e.at < least(:until::timestamptz, 'infinity')
