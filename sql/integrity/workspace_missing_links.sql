-- name: integrity.workspace_missing_links :many
-- Links that must be there and are NULL, of workspace: their rows belong to nobody.
-- param: most int?   rows of evidence per table and kind of damage; all when absent
-- allow: tenant_predicate an operator looks at all tenants; row-level security holds a caller to its own
-- allow: seq_scan a check reads what it checks
-- budget: 200000 buffers
WITH damage AS (
    -- Not IS NULL: the planner takes NOT NULL at its word, and that word is what is looked at.
    SELECT 'workspace.project_members' AS table_name, 'project_id' AS kind, c.tenant_id, c.id AS row_id,
           'project_id is NULL: which row of workspace.projects it belongs to is lost' AS detail
      FROM workspace.project_members AS c
     WHERE num_nulls(c.project_id) = 1
     UNION ALL
    SELECT 'workspace.project_members' AS table_name, 'user_id' AS kind, c.tenant_id, c.id AS row_id,
           'user_id is NULL: which row of workspace.users it belongs to is lost' AS detail
      FROM workspace.project_members AS c
     WHERE num_nulls(c.user_id) = 1
     UNION ALL
    SELECT 'workspace.document_versions' AS table_name, 'project_id' AS kind, c.tenant_id, c.id AS row_id,
           'project_id is NULL: which row of workspace.projects it belongs to is lost' AS detail
      FROM workspace.document_versions AS c
     WHERE num_nulls(c.project_id) = 1
     UNION ALL
    SELECT 'workspace.document_counters' AS table_name, 'project_id' AS kind, c.tenant_id, c.project_id AS row_id,
           'project_id is NULL: which row of workspace.projects it belongs to is lost' AS detail
      FROM workspace.document_counters AS c
     WHERE num_nulls(c.project_id) = 1
     UNION ALL
    SELECT 'workspace.agent_executions' AS table_name, 'project_id' AS kind, c.tenant_id, c.id AS row_id,
           'project_id is NULL: which row of workspace.projects it belongs to is lost' AS detail
      FROM workspace.agent_executions AS c
     WHERE num_nulls(c.project_id) = 1
     UNION ALL
    SELECT 'workspace.exports' AS table_name, 'project_id' AS kind, c.tenant_id, c.id AS row_id,
           'project_id is NULL: which row of workspace.projects it belongs to is lost' AS detail
      FROM workspace.exports AS c
     WHERE num_nulls(c.project_id) = 1
), numbered AS (
    SELECT d.table_name, d.kind, d.tenant_id, d.row_id, d.detail,
           count(*) OVER (PARTITION BY d.table_name, d.kind) AS total,
           row_number() OVER (PARTITION BY d.table_name, d.kind ORDER BY d.tenant_id, d.row_id) AS place
      FROM damage AS d
     WHERE CASE WHEN :tenant_id::uuid IS NULL THEN true ELSE d.tenant_id = :tenant_id END
)
SELECT 'workspace_missing_links' AS check_name, n.table_name, n.kind, n.tenant_id, n.row_id, n.detail, n.total AS count
  FROM numbered AS n
 WHERE CASE WHEN :most::int IS NULL THEN true ELSE n.place <= :most END
 ORDER BY n.table_name, n.place
