-- name: jobs.expire :affected
-- Puts jobs back whose lease ran out: their worker died, hangs, or cannot reach the database.
-- allow: tenant_predicate a worker takes over the jobs of all tenants, as role quarry_worker
WITH lost AS (
    SELECT j.tenant_id, j.id
      FROM ops.jobs AS j
     WHERE j.state = 'running'
       AND j.lease_until < clock_timestamp()
       FOR UPDATE SKIP LOCKED
)
UPDATE ops.jobs AS j
   SET state = 'queued', claim = NULL, lease_until = NULL, run_at = clock_timestamp(),
       last_error = 'its worker did not come back'
  FROM lost
 WHERE j.tenant_id = lost.tenant_id
   AND j.id = lost.id
