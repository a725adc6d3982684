-- name: integrity.workspace_childless_parents :many
-- Projects without an owner, counters without a document, exports that no job works for.
-- param: most int?   rows of evidence per table and kind of damage; all when absent
-- allow: tenant_predicate an operator looks at all tenants; row-level security holds a caller to its own
-- allow: seq_scan a check reads what it checks
-- budget: 100000 buffers
WITH damage AS (
    SELECT 'workspace.projects' AS table_name, 'owner' AS kind, p.tenant_id, p.id AS row_id,
           'it was made by a user and has no owner' AS detail
      FROM workspace.projects AS p
     WHERE p.created_by IS NOT NULL
       AND NOT EXISTS (SELECT FROM workspace.project_members AS m
                        WHERE m.tenant_id = p.tenant_id AND m.project_id = p.id AND m.role = 'owner')
     UNION ALL
    SELECT 'workspace.document_counters' AS table_name, 'document' AS kind, c.tenant_id, c.project_id AS row_id,
           concat('versions of ', c.document_type, ' were counted and there is none') AS detail
      FROM workspace.document_counters AS c
     WHERE NOT EXISTS (SELECT FROM workspace.document_versions AS d
                        WHERE d.tenant_id = c.tenant_id AND d.project_id = c.project_id AND d.document_type = c.document_type)
     UNION ALL
    SELECT 'workspace.exports' AS table_name, 'job' AS kind, e.tenant_id, e.id AS row_id,
           concat('it is ', e.status, ' and has no job') AS detail
      FROM workspace.exports AS e
     WHERE e.status IN ('pending', 'running')
       AND NOT EXISTS (SELECT FROM ops.jobs AS j WHERE j.tenant_id = e.tenant_id AND j.id = e.id)
), numbered AS (
    SELECT d.table_name, d.kind, d.tenant_id, d.row_id, d.detail,
           count(*) OVER (PARTITION BY d.table_name, d.kind) AS total,
           row_number() OVER (PARTITION BY d.table_name, d.kind ORDER BY d.tenant_id, d.row_id) AS place
      FROM damage AS d
     WHERE CASE WHEN :tenant_id::uuid IS NULL THEN true ELSE d.tenant_id = :tenant_id END
)
SELECT 'workspace_childless_parents' AS check_name, n.table_name, n.kind, n.tenant_id, n.row_id, n.detail, n.total AS count
  FROM numbered AS n
 WHERE CASE WHEN :most::int IS NULL THEN true ELSE n.place <= :most END
 ORDER BY n.table_name, n.place
