-- name: jobs.release :affected
-- Gives claims back at once, because the worker stops; the attempt does not count.
-- param: claims uuid[]
-- allow: tenant_predicate a worker holds jobs of several tenants, as role quarry_worker
UPDATE ops.jobs AS j
   SET state = 'queued', claim = NULL, lease_until = NULL, run_at = clock_timestamp(),
       attempts = j.attempts - 1
 WHERE j.state = 'running'
   AND j.claim = ANY (:claims)
