-- name: audit.list :page
-- The tenant's audit events, newest first. A table that few events are about is found by reading
-- along the time, so `since` is what bounds that.
-- param: table text?          only events of this table (schema.table)
-- param: since timestamptz?   at this moment or later
-- param: until timestamptz?   before this moment
-- param: after_at timestamptz?
-- param: after_id uuid?
-- param: limit int?
-- cursor: at desc, id desc
-- null: user_id, request_id, before, after
-- plan: index
-- budget: 200 buffers
SELECT e.id, e.at, e.actor, e.user_id, e.request_id, e.table_name AS "table", e.row_id, e.action,
       e.before, e.after
  FROM audit.events AS e
 WHERE e.tenant_id = :tenant_id
   AND CASE WHEN :table::text IS NULL THEN true ELSE e.table_name = :table END
   AND e.at >= greatest(:since::timestamptz, '-infinity')
   -- one upper bound, the cursor's too: partitions behind it are left out, and the index is entered
   -- there (a second bound would be what it is entered by); a microsecond is the least step of time
   AND e.at <= least(:after_at::timestamptz, :until::timestamptz - interval '1 microsecond', 'infinity')
   AND (e.at, e.id) < (least(:after_at::timestamptz, 'infinity'),
                       least(:after_id::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
 ORDER BY e.at DESC, e.id DESC
 LIMIT :limit
