-- name: integrity.workspace_counts :many
-- Version numbers that do not add up: per project and type, versions = highest version = counter.
-- param: most int?   rows of evidence per table and kind of damage; all when absent
-- allow: tenant_predicate an operator looks at all tenants; row-level security holds a caller to its own
-- allow: seq_scan a check reads what it checks
-- budget: 500000 buffers
WITH damage AS (
    SELECT 'workspace.document_versions' AS table_name, 'versions' AS kind, v.tenant_id, v.project_id AS row_id,
           concat(v.document_type, ': ', v.versions, ' versions, the highest is ', v.highest, ', the counter says ',
                  coalesce(c.last_version::text, 'nothing')) AS detail
      FROM (SELECT d.tenant_id, d.project_id, d.document_type, count(*) AS versions, max(d.version) AS highest
              FROM workspace.document_versions AS d
             GROUP BY d.tenant_id, d.project_id, d.document_type) AS v
      LEFT JOIN workspace.document_counters AS c
        ON c.tenant_id = v.tenant_id AND c.project_id = v.project_id AND c.document_type = v.document_type
     WHERE v.versions <> v.highest
        OR c.last_version IS DISTINCT FROM v.highest
), numbered AS (
    SELECT d.table_name, d.kind, d.tenant_id, d.row_id, d.detail,
           count(*) OVER (PARTITION BY d.table_name, d.kind) AS total,
           row_number() OVER (PARTITION BY d.table_name, d.kind ORDER BY d.tenant_id, d.row_id) AS place
      FROM damage AS d
     WHERE CASE WHEN :tenant_id::uuid IS NULL THEN true ELSE d.tenant_id = :tenant_id END
)
SELECT 'workspace_counts' AS check_name, n.table_name, n.kind, n.tenant_id, n.row_id, n.detail, n.total AS count
  FROM numbered AS n
 WHERE CASE WHEN :most::int IS NULL THEN true ELSE n.place <= :most END
 ORDER BY n.table_name, n.place
