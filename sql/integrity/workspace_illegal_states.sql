-- name: integrity.workspace_illegal_states :many
-- Executions, exports, members and jobs in states that there are not, or without what goes with them.
-- param: most int?   rows of evidence per table and kind of damage; all when absent
-- allow: tenant_predicate an operator looks at all tenants; row-level security holds a caller to its own
-- allow: seq_scan a check reads what it checks
-- budget: 20000 buffers
WITH damage AS (
    SELECT 'workspace.agent_executions' AS table_name, 'status' AS kind, e.tenant_id, e.id AS row_id,
           concat('status ', e.status, ', started_at ', e.started_at, ', completed_at ', e.completed_at,
                  ', progress ', e.progress) AS detail
      FROM workspace.agent_executions AS e
     WHERE e.status NOT IN ('pending', 'running', 'needs_input', 'completed', 'failed', 'cancelled')
        OR (e.status IN ('completed', 'failed', 'cancelled')) <> (e.completed_at IS NOT NULL)
        OR (e.status = 'pending' AND e.started_at IS NOT NULL)
        OR (e.status IN ('running', 'needs_input', 'completed') AND e.started_at IS NULL)
        OR e.started_at > e.completed_at
        OR e.progress NOT BETWEEN 0 AND 100
     UNION ALL
    SELECT 'workspace.exports' AS table_name, 'status' AS kind, e.tenant_id, e.id AS row_id,
           concat('status ', e.status, ', ', num_nulls(e.file_name, e.file_size, e.file_sha256, e.completed_at, e.expires_at),
                  ' of 5 facts of its file are missing') AS detail
      FROM workspace.exports AS e
     WHERE e.status NOT IN ('pending', 'running', 'completed', 'failed', 'expired')
        OR (e.status IN ('completed', 'expired')
            AND num_nulls(e.file_name, e.file_size, e.file_sha256, e.completed_at, e.expires_at) > 0)
        OR (e.status = 'failed' AND e.error_message IS NULL)
     UNION ALL
    SELECT 'workspace.project_members' AS table_name, 'role' AS kind, m.tenant_id, m.id AS row_id,
           concat('role ', m.role) AS detail
      FROM workspace.project_members AS m
     WHERE m.role NOT IN ('owner', 'editor', 'viewer')
     UNION ALL
    SELECT 'ops.jobs' AS table_name, 'state' AS kind, j.tenant_id, j.id AS row_id,
           concat('state ', j.state, ', claim ', j.claim, ', finished_at ', j.finished_at) AS detail
      FROM ops.jobs AS j
     WHERE j.state NOT IN ('queued', 'running', 'succeeded', 'dead', 'cancelled')
        OR (j.state = 'running') <> (j.claim IS NOT NULL)
        OR (j.state IN ('succeeded', 'dead', 'cancelled')) <> (j.finished_at IS NOT NULL)
), numbered AS (
    SELECT d.table_name, d.kind, d.tenant_id, d.row_id, d.detail,
           count(*) OVER (PARTITION BY d.table_name, d.kind) AS total,
           row_number() OVER (PARTITION BY d.table_name, d.kind ORDER BY d.tenant_id, d.row_id) AS place
      FROM damage AS d
     WHERE CASE WHEN :tenant_id::uuid IS NULL THEN true ELSE d.tenant_id = :tenant_id END
)
SELECT 'workspace_illegal_states' AS check_name, n.table_name, n.kind, n.tenant_id, n.row_id, n.detail, n.total AS count
  FROM numbered AS n
 WHERE CASE WHEN :most::int IS NULL THEN true ELSE n.place <= :most END
 ORDER BY n.table_name, n.place
