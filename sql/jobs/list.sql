-- name: jobs.list :many
-- Jobs as an operator sees them, latest first.
-- param: kind text?              only this kind
-- param: state text?             only this state
-- param: tenant text?            only this tenant's: its name or id
-- param: most int
-- null: last_error, claimed_by, lease_until, started_at, finished_at
-- allow: tenant_predicate an operator sees all tenants
SELECT j.id, t.name AS tenant, j.kind, j.state, j.progress, j.attempts, j.max_attempts, j.run_at,
       j.claimed_by, j.lease_until, j.last_error, j.created_at, j.started_at, j.finished_at
  FROM ops.jobs AS j
  JOIN core.tenants AS t ON t.id = j.tenant_id
 WHERE CASE WHEN :kind::text IS NULL THEN true ELSE j.kind = :kind END
   AND CASE WHEN :state::text IS NULL THEN true ELSE j.state = :state END
   AND (:tenant::text IS NULL OR :tenant IN (t.name, t.id::text))
 ORDER BY j.created_at DESC, j.id DESC
 LIMIT :most
