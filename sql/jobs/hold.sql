-- name: jobs.hold :value
-- Whether this claim still holds; its job cannot be taken over before the transaction ends.
-- param: job_id uuid
-- param: claim uuid
SELECT true
  FROM ops.jobs AS j
 WHERE j.tenant_id = :tenant_id
   AND j.id = :job_id
   AND j.claim = :claim
   FOR UPDATE
