-- name: jobs.sweep :affected
-- Removes up to `batch` jobs that ended so many days ago.
-- param: days float8
-- param: batch int
-- allow: tenant_predicate upkeep of the whole installation, as role quarry_worker
WITH old AS (
    SELECT j.tenant_id, j.id
      FROM ops.jobs AS j
     WHERE j.finished_at < now() - make_interval(secs => :days::float8 * 86400)
     ORDER BY j.finished_at
     LIMIT :batch
       FOR UPDATE SKIP LOCKED
)
DELETE FROM ops.jobs AS j
 USING old
 WHERE j.tenant_id = old.tenant_id
   AND j.id = old.id
