-- name: jobs.cancel :affected
-- Cancels a job that waits or runs; the worker that holds it notices at its next heartbeat.
-- param: job_id uuid
-- allow: tenant_predicate an operator names a job by its id, whosever it is
UPDATE ops.jobs AS j
   SET state = 'cancelled', claim = NULL, lease_until = NULL, finished_at = clock_timestamp()
 WHERE j.id = :job_id
   AND j.state IN ('queued', 'running')
