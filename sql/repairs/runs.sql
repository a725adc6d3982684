-- name: repairs.runs :many
-- The runs of the repair, latest first.
-- null: undone_at
-- allow: tenant_predicate an operator looks at all tenants
SELECT r.run_id, min(r.applied_at) AS applied_at, min(r.actor) AS actor, count(*) AS rows,
       count(*) FILTER (WHERE r.action = 'quarantine') AS quarantined, max(r.undone_at) AS undone_at
  FROM ops.repairs AS r
 GROUP BY r.run_id
 ORDER BY min(r.id::text) DESC
