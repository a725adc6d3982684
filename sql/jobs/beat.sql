-- name: jobs.beat :many
-- Extends the lease of these claims; answers those that still hold.
-- param: claims uuid[]
-- param: lease float8            seconds
-- null: claim
-- allow: tenant_predicate a worker holds jobs of several tenants, as role quarry_worker
UPDATE ops.jobs AS j
   SET lease_until = clock_timestamp() + make_interval(secs => :lease)
 WHERE j.state = 'running'
   AND j.claim = ANY (:claims)
RETURNING j.claim
