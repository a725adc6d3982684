-- name: repairs.summary :many
-- What a run does, grouped: per check, table, action and evidence, with one row as an example.
-- param: run_id uuid
-- null: evidence, example, changes
-- allow: tenant_predicate an operator looks at all tenants
SELECT r.check_name, r.table_name, r.action, r.confidence, g.evidence, count(*) AS rows,
       min(r.row_id::text) AS example, jsonb_agg(DISTINCT r.changes) FILTER (WHERE r.changes IS NOT NULL) -> 0 AS changes
  FROM ops.repairs AS r
 CROSS JOIN LATERAL (SELECT regexp_replace(r.evidence, '[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}', '…', 'g') AS evidence) AS g
 WHERE r.run_id = :run_id
 GROUP BY r.check_name, r.table_name, r.action, r.confidence, g.evidence
 ORDER BY min(r.id::text)
