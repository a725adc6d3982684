-- name: jobs.finish :affected
-- Ends an attempt for good: succeeded or dead. No row when it is no longer ours.
-- param: job_id uuid
-- param: claim uuid
-- param: state text              succeeded, dead
-- param: error text?             why it is dead
UPDATE ops.jobs AS j
   SET state = :state, claim = NULL, lease_until = NULL, finished_at = clock_timestamp(),
       progress = CASE WHEN :state = 'succeeded' THEN 100 ELSE j.progress END,
       last_error = coalesce(:error, j.last_error)
 WHERE j.tenant_id = :tenant_id
   AND j.id = :job_id
   AND j.claim = :claim
