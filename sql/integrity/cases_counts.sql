-- name: integrity.cases_counts :many
-- Cases whose number of the last version is not that of their versions, or whose versions have gaps.
-- param: most int?   rows of evidence per table and kind of damage; all when absent
-- allow: tenant_predicate an operator looks at all tenants; row-level security holds a caller to its own
-- allow: seq_scan a check reads what it checks
-- budget: 10000 buffers
WITH damage AS (
    SELECT 'cases.cases' AS table_name, 'current_version' AS kind, c.tenant_id, c.id AS row_id,
           concat('current_version ', c.current_version, ', there are ', coalesce(v.versions, 0), ' versions up to ', coalesce(v.last, 0)) AS detail
      FROM cases.cases AS c
      LEFT JOIN (SELECT x.tenant_id, x.project_id, x.case_id, count(*) AS versions, max(x.version) AS last
                   FROM cases.case_versions AS x
                  GROUP BY x.tenant_id, x.project_id, x.case_id) AS v
        ON v.tenant_id = c.tenant_id AND v.project_id = c.project_id AND v.case_id = c.case_id
     WHERE (c.current_version, c.current_version) IS DISTINCT FROM (coalesce(v.last, 0), coalesce(v.versions, 0))
), numbered AS (
    SELECT d.table_name, d.kind, d.tenant_id, d.row_id, d.detail,
           count(*) OVER (PARTITION BY d.table_name, d.kind) AS total,
           row_number() OVER (PARTITION BY d.table_name, d.kind ORDER BY d.tenant_id, d.row_id) AS place
      FROM damage AS d
     WHERE CASE WHEN :tenant_id::uuid IS NULL THEN true ELSE d.tenant_id = :tenant_id END
)
SELECT 'cases_counts' AS check_name, n.table_name, n.kind, n.tenant_id, n.row_id, n.detail, n.total AS count
  FROM numbered AS n
 WHERE CASE WHEN :most::int IS NULL THEN true ELSE n.place <= :most END
 ORDER BY n.table_name, n.place
