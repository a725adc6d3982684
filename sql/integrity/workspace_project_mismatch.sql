-- name: integrity.workspace_project_mismatch :many
-- Links of workspace that lead to another project's row of the same tenant.
-- param: most int?   rows of evidence per table and kind of damage; all when absent
-- allow: tenant_predicate an operator looks at all tenants; row-level security holds a caller to its own
-- allow: seq_scan a check reads what it checks
-- budget: 20 buffers
WITH damage AS (
    SELECT 'workspace.document_versions' AS table_name, 'based_on' AS kind, c.tenant_id, c.id AS row_id,
           concat('based_on ', c.based_on, ' belongs to project ', p.project_id, ', this row to ', c.project_id) AS detail
      FROM workspace.document_versions AS c
      JOIN workspace.document_versions AS p ON p.tenant_id = c.tenant_id AND p.id = c.based_on
     WHERE p.project_id <> c.project_id
), numbered AS (
    SELECT d.table_name, d.kind, d.tenant_id, d.row_id, d.detail,
           count(*) OVER (PARTITION BY d.table_name, d.kind) AS total,
           row_number() OVER (PARTITION BY d.table_name, d.kind ORDER BY d.tenant_id, d.row_id) AS place
      FROM damage AS d
     WHERE CASE WHEN :tenant_id::uuid IS NULL THEN true ELSE d.tenant_id = :tenant_id END
)
SELECT 'workspace_project_mismatch' AS check_name, n.table_name, n.kind, n.tenant_id, n.row_id, n.detail, n.total AS count
  FROM numbered AS n
 WHERE CASE WHEN :most::int IS NULL THEN true ELSE n.place <= :most END
 ORDER BY n.table_name, n.place
