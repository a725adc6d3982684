-- name: integrity.workspace_tenant_mismatch :many
-- Links of workspace that lead to another tenant's row.
-- param: most int?   rows of evidence per table and kind of damage; all when absent
-- allow: tenant_predicate an operator looks at all tenants; row-level security holds a caller to its own
-- allow: seq_scan a check reads what it checks
-- budget: 200000 buffers
WITH damage AS (
    SELECT 'workspace.projects' AS table_name, 'created_by' AS kind, c.tenant_id, c.id AS row_id,
           concat('created_by ', c.created_by, ' belongs to tenant ', p.tenant_id) AS detail
      FROM workspace.projects AS c
      JOIN workspace.users AS p ON p.id = c.created_by
     WHERE p.tenant_id <> c.tenant_id
     UNION ALL
    SELECT 'core.api_keys' AS table_name, 'user_id' AS kind, c.tenant_id, c.id AS row_id,
           concat('user_id ', c.user_id, ' belongs to tenant ', p.tenant_id) AS detail
      FROM core.api_keys AS c
      JOIN workspace.users AS p ON p.id = c.user_id
     WHERE p.tenant_id <> c.tenant_id
     UNION ALL
    SELECT 'workspace.project_members' AS table_name, 'project_id' AS kind, c.tenant_id, c.id AS row_id,
           concat('project_id ', c.project_id, ' belongs to tenant ', p.tenant_id) AS detail
      FROM workspace.project_members AS c
      JOIN workspace.projects AS p ON p.id = c.project_id
     WHERE p.tenant_id <> c.tenant_id
     UNION ALL
    SELECT 'workspace.project_members' AS table_name, 'user_id' AS kind, c.tenant_id, c.id AS row_id,
           concat('user_id ', c.user_id, ' belongs to tenant ', p.tenant_id) AS detail
      FROM workspace.project_members AS c
      JOIN workspace.users AS p ON p.id = c.user_id
     WHERE p.tenant_id <> c.tenant_id
     UNION ALL
    SELECT 'workspace.document_versions' AS table_name, 'project_id' AS kind, c.tenant_id, c.id AS row_id,
           concat('project_id ', c.project_id, ' belongs to tenant ', p.tenant_id) AS detail
      FROM workspace.document_versions AS c
      JOIN workspace.projects AS p ON p.id = c.project_id
     WHERE p.tenant_id <> c.tenant_id
     UNION ALL
    SELECT 'workspace.document_versions' AS table_name, 'created_by' AS kind, c.tenant_id, c.id AS row_id,
           concat('created_by ', c.created_by, ' belongs to tenant ', p.tenant_id) AS detail
      FROM workspace.document_versions AS c
      JOIN workspace.users AS p ON p.id = c.created_by
     WHERE p.tenant_id <> c.tenant_id
     UNION ALL
    SELECT 'workspace.document_versions' AS table_name, 'based_on' AS kind, c.tenant_id, c.id AS row_id,
           concat('based_on ', c.based_on, ' belongs to tenant ', p.tenant_id) AS detail
      FROM workspace.document_versions AS c
      JOIN workspace.document_versions AS p ON p.id = c.based_on
     WHERE p.tenant_id <> c.tenant_id
     UNION ALL
    SELECT 'workspace.document_counters' AS table_name, 'project_id' AS kind, c.tenant_id, c.project_id AS row_id,
           concat('project_id ', c.project_id, ' belongs to tenant ', p.tenant_id) AS detail
      FROM workspace.document_counters AS c
      JOIN workspace.projects AS p ON p.id = c.project_id
     WHERE p.tenant_id <> c.tenant_id
     UNION ALL
    SELECT 'workspace.agent_executions' AS table_name, 'project_id' AS kind, c.tenant_id, c.id AS row_id,
           concat('project_id ', c.project_id, ' belongs to tenant ', p.tenant_id) AS detail
      FROM workspace.agent_executions AS c
      JOIN workspace.projects AS p ON p.id = c.project_id
     WHERE p.tenant_id <> c.tenant_id
     UNION ALL
    SELECT 'workspace.agent_executions' AS table_name, 'requested_by' AS kind, c.tenant_id, c.id AS row_id,
           concat('requested_by ', c.requested_by, ' belongs to tenant ', p.tenant_id) AS detail
      FROM workspace.agent_executions AS c
      JOIN workspace.users AS p ON p.id = c.requested_by
     WHERE p.tenant_id <> c.tenant_id
     UNION ALL
    SELECT 'workspace.exports' AS table_name, 'project_id' AS kind, c.tenant_id, c.id AS row_id,
           concat('project_id ', c.project_id, ' belongs to tenant ', p.tenant_id) AS detail
      FROM workspace.exports AS c
      JOIN workspace.projects AS p ON p.id = c.project_id
     WHERE p.tenant_id <> c.tenant_id
     UNION ALL
    SELECT 'workspace.exports' AS table_name, 'created_by' AS kind, c.tenant_id, c.id AS row_id,
           concat('created_by ', c.created_by, ' belongs to tenant ', p.tenant_id) AS detail
      FROM workspace.exports AS c
      JOIN workspace.users AS p ON p.id = c.created_by
     WHERE p.tenant_id <> c.tenant_id
), numbered AS (
    SELECT d.table_name, d.kind, d.tenant_id, d.row_id, d.detail,
           count(*) OVER (PARTITION BY d.table_name, d.kind) AS total,
           row_number() OVER (PARTITION BY d.table_name, d.kind ORDER BY d.tenant_id, d.row_id) AS place
      FROM damage AS d
     WHERE CASE WHEN :tenant_id::uuid IS NULL THEN true ELSE d.tenant_id = :tenant_id END
)
SELECT 'workspace_tenant_mismatch' AS check_name, n.table_name, n.kind, n.tenant_id, n.row_id, n.detail, n.total AS count
  FROM numbered AS n
 WHERE CASE WHEN :most::int IS NULL THEN true ELSE n.place <= :most END
 ORDER BY n.table_name, n.place
