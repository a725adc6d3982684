-- name: jobs.progress :affected
-- How far an attempt is: 0 to 100. No row when it is no longer ours.
-- param: job_id uuid
-- param: claim uuid
-- param: progress int
UPDATE ops.jobs AS j
   SET progress = :progress
 WHERE j.tenant_id = :tenant_id
   AND j.id = :job_id
   AND j.claim = :claim
