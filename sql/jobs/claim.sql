-- name: jobs.claim :many
-- Takes up to `slots` due jobs of these kinds, oldest first, each with a claim of its own. Two
-- workers never take the same one, and neither waits for the other.
-- param: kinds text[]
-- param: slots int
-- param: worker text             host:pid
-- param: lease float8            seconds
-- null: claim, user_id, request_id, last_error
-- allow: tenant_predicate a worker takes the jobs of all tenants, as role quarry_worker
WITH due AS (
    SELECT j.tenant_id, j.id
      FROM ops.jobs AS j
     WHERE j.state = 'queued'
       AND j.run_at <= now()
       AND j.kind = ANY (:kinds)
     ORDER BY j.run_at, j.id
     LIMIT :slots
       FOR UPDATE SKIP LOCKED
)
UPDATE ops.jobs AS j
   SET state = 'running', attempts = j.attempts + 1, progress = 0,
       claim = uuidv4(), claimed_by = :worker, started_at = clock_timestamp(),
       lease_until = clock_timestamp() + make_interval(secs => :lease)
  FROM due
 WHERE j.tenant_id = due.tenant_id
   AND j.id = due.id
RETURNING j.tenant_id, j.id, j.kind, j.args, j.attempts, j.max_attempts, j.claim, j.actor,
          j.user_id, j.request_id, j.last_error
