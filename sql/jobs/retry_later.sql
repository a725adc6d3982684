-- name: jobs.retry_later :affected
-- Puts an attempt back, to be made again after `pause` seconds. No row when it is no longer ours.
-- param: job_id uuid
-- param: claim uuid
-- param: pause float8            seconds
-- param: counts boolean         whether it was one of the attempts that a job has
-- param: error text
UPDATE ops.jobs AS j
   SET state = 'queued', claim = NULL, lease_until = NULL, last_error = :error,
       run_at = clock_timestamp() + make_interval(secs => :pause),
       attempts = j.attempts - CASE WHEN :counts::boolean THEN 0 ELSE 1 END
 WHERE j.tenant_id = :tenant_id
   AND j.id = :job_id
   AND j.claim = :claim
