-- name: jobs.again :affected
-- Lets a job that is dead, cancelled or waiting run now, with all its attempts.
-- param: job_id uuid
-- allow: tenant_predicate an operator names a job by its id, whosever it is
UPDATE ops.jobs AS j
   SET state = 'queued', attempts = 0, run_at = clock_timestamp(), finished_at = NULL, progress = 0
 WHERE j.id = :job_id
   AND j.state IN ('queued', 'dead', 'cancelled')
