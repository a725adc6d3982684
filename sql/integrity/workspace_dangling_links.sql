-- name: integrity.workspace_dangling_links :many
-- Links of workspace that lead to no row.
-- param: most int?   rows of evidence per table and kind of damage; all when absent
-- allow: tenant_predicate an operator looks at all tenants; row-level security holds a caller to its own
-- allow: seq_scan a check reads what it checks
-- budget: 500000 buffers
WITH damage AS (
    -- Not IS NULL: the planner takes NOT NULL at its word, and that word is what is looked at.
    SELECT 'workspace.users' AS table_name, 'tenant_id' AS kind, c.tenant_id, c.id AS row_id,
           concat('tenant_id ', c.tenant_id, ' is no row of core.tenants') AS detail
      FROM workspace.users AS c
     WHERE num_nulls(c.tenant_id) <> 1
       AND NOT EXISTS (SELECT FROM core.tenants AS p WHERE p.id = c.tenant_id)
     UNION ALL
    SELECT 'workspace.projects' AS table_name, 'tenant_id' AS kind, c.tenant_id, c.id AS row_id,
           concat('tenant_id ', c.tenant_id, ' is no row of core.tenants') AS detail
      FROM workspace.projects AS c
     WHERE num_nulls(c.tenant_id) <> 1
       AND NOT EXISTS (SELECT FROM core.tenants AS p WHERE p.id = c.tenant_id)
     UNION ALL
    SELECT 'core.api_keys' AS table_name, 'tenant_id' AS kind, c.tenant_id, c.id AS row_id,
           concat('tenant_id ', c.tenant_id, ' is no row of core.tenants') AS detail
      FROM core.api_keys AS c
     WHERE num_nulls(c.tenant_id) <> 1
       AND NOT EXISTS (SELECT FROM core.tenants AS p WHERE p.id = c.tenant_id)
     UNION ALL
    SELECT 'ops.jobs' AS table_name, 'tenant_id' AS kind, c.tenant_id, c.id AS row_id,
           concat('tenant_id ', c.tenant_id, ' is no row of core.tenants') AS detail
      FROM ops.jobs AS c
     WHERE num_nulls(c.tenant_id) <> 1
       AND NOT EXISTS (SELECT FROM core.tenants AS p WHERE p.id = c.tenant_id)
     UNION ALL
    SELECT 'workspace.projects' AS table_name, 'created_by' AS kind, c.tenant_id, c.id AS row_id,
           concat('created_by ', c.created_by, ' is no row of workspace.users') AS detail
      FROM workspace.projects AS c
     WHERE num_nulls(c.created_by) <> 1
       AND NOT EXISTS (SELECT FROM workspace.users AS p WHERE p.id = c.created_by)
     UNION ALL
    SELECT 'core.api_keys' AS table_name, 'user_id' AS kind, c.tenant_id, c.id AS row_id,
           concat('user_id ', c.user_id, ' is no row of workspace.users') AS detail
      FROM core.api_keys AS c
     WHERE num_nulls(c.user_id) <> 1
       AND NOT EXISTS (SELECT FROM workspace.users AS p WHERE p.id = c.user_id)
     UNION ALL
    SELECT 'workspace.project_members' AS table_name, 'project_id' AS kind, c.tenant_id, c.id AS row_id,
           concat('project_id ', c.project_id, ' is no row of workspace.projects') AS detail
      FROM workspace.project_members AS c
     WHERE num_nulls(c.project_id) <> 1
       AND NOT EXISTS (SELECT FROM workspace.projects AS p WHERE p.id = c.project_id)
     UNION ALL
    SELECT 'workspace.project_members' AS table_name, 'user_id' AS kind, c.tenant_id, c.id AS row_id,
           concat('user_id ', c.user_id, ' is no row of workspace.users') AS detail
      FROM workspace.project_members AS c
     WHERE num_nulls(c.user_id) <> 1
       AND NOT EXISTS (SELECT FROM workspace.users AS p WHERE p.id = c.user_id)
     UNION ALL
    SELECT 'workspace.document_versions' AS table_name, 'project_id' AS kind, c.tenant_id, c.id AS row_id,
           concat('project_id ', c.project_id, ' is no row of workspace.projects') AS detail
      FROM workspace.document_versions AS c
     WHERE num_nulls(c.project_id) <> 1
       AND NOT EXISTS (SELECT FROM workspace.projects AS p WHERE p.id = c.project_id)
     UNION ALL
    SELECT 'workspace.document_versions' AS table_name, 'created_by' AS kind, c.tenant_id, c.id AS row_id,
           concat('created_by ', c.created_by, ' is no row of workspace.users') AS detail
      FROM workspace.document_versions AS c
     WHERE num_nulls(c.created_by) <> 1
       AND NOT EXISTS (SELECT FROM workspace.users AS p WHERE p.id = c.created_by)
     UNION ALL
    SELECT 'workspace.document_versions' AS table_name, 'based_on' AS kind, c.tenant_id, c.id AS row_id,
           concat('based_on ', c.based_on, ' is no row of workspace.document_versions') AS detail
      FROM workspace.document_versions AS c
     WHERE num_nulls(c.based_on) <> 1
       AND NOT EXISTS (SELECT FROM workspace.document_versions AS p WHERE p.id = c.based_on)
     UNION ALL
    SELECT 'workspace.document_counters' AS table_name, 'project_id' AS kind, c.tenant_id, c.project_id AS row_id,
           concat('project_id ', c.project_id, ' is no row of workspace.projects') AS detail
      FROM workspace.document_counters AS c
     WHERE num_nulls(c.project_id) <> 1
       AND NOT EXISTS (SELECT FROM workspace.projects AS p WHERE p.id = c.project_id)
     UNION ALL
    SELECT 'workspace.agent_executions' AS table_name, 'project_id' AS kind, c.tenant_id, c.id AS row_id,
           concat('project_id ', c.project_id, ' is no row of workspace.projects') AS detail
      FROM workspace.agent_executions AS c
     WHERE num_nulls(c.project_id) <> 1
       AND NOT EXISTS (SELECT FROM workspace.projects AS p WHERE p.id = c.project_id)
     UNION ALL
    SELECT 'workspace.agent_executions' AS table_name, 'requested_by' AS kind, c.tenant_id, c.id AS row_id,
           concat('requested_by ', c.requested_by, ' is no row of workspace.users') AS detail
      FROM workspace.agent_executions AS c
     WHERE num_nulls(c.requested_by) <> 1
       AND NOT EXISTS (SELECT FROM workspace.users AS p WHERE p.id = c.requested_by)
     UNION ALL
    SELECT 'workspace.exports' AS table_name, 'project_id' AS kind, c.tenant_id, c.id AS row_id,
           concat('project_id ', c.project_id, ' is no row of workspace.projects') AS detail
      FROM workspace.exports AS c
     WHERE num_nulls(c.project_id) <> 1
       AND NOT EXISTS (SELECT FROM workspace.projects AS p WHERE p.id = c.project_id)
     UNION ALL
    SELECT 'workspace.exports' AS table_name, 'created_by' AS kind, c.tenant_id, c.id AS row_id,
           concat('created_by ', c.created_by, ' is no row of workspace.users') AS detail
      FROM workspace.exports AS c
     WHERE num_nulls(c.created_by) <> 1
       AND NOT EXISTS (SELECT FROM workspace.users AS p WHERE p.id = c.created_by)
), numbered AS (
    SELECT d.table_name, d.kind, d.tenant_id, d.row_id, d.detail,
           count(*) OVER (PARTITION BY d.table_name, d.kind) AS total,
           row_number() OVER (PARTITION BY d.table_name, d.kind ORDER BY d.tenant_id, d.row_id) AS place
      FROM damage AS d
     WHERE CASE WHEN :tenant_id::uuid IS NULL THEN true ELSE d.tenant_id = :tenant_id END
)
SELECT 'workspace_dangling_links' AS check_name, n.table_name, n.kind, n.tenant_id, n.row_id, n.detail, n.total AS count
  FROM numbered AS n
 WHERE CASE WHEN :most::int IS NULL THEN true ELSE n.place <= :most END
 ORDER BY n.table_name, n.place
