-- name: integrity.workspace_duplicates :many
-- Rows that may be there only once: versions, live e-mail addresses, members.
-- param: most int?   rows of evidence per table and kind of damage; all when absent
-- allow: tenant_predicate an operator looks at all tenants; row-level security holds a caller to its own
-- allow: seq_scan a check reads what it checks
-- budget: 1000000 buffers
WITH damage AS (
    SELECT 'workspace.document_versions' AS table_name, 'version' AS kind, o.tenant_id, o.row_id,
           concat('version ', o.version, ' of ', o.document_type, ' is there again') AS detail
      FROM (SELECT d.tenant_id, d.id AS row_id, d.document_type, d.version,
                   row_number() OVER (PARTITION BY d.tenant_id, d.project_id, d.document_type, d.version ORDER BY d.id) AS nth
              FROM workspace.document_versions AS d) AS o
     WHERE o.nth > 1
     UNION ALL
    SELECT 'workspace.users' AS table_name, 'email' AS kind, o.tenant_id, o.row_id,
           'another live user has the same e-mail address' AS detail
      FROM (SELECT u.tenant_id, u.id AS row_id, row_number() OVER (PARTITION BY u.tenant_id, lower(u.email) ORDER BY u.id) AS nth
              FROM workspace.users AS u
             WHERE u.deleted_at IS NULL) AS o
     WHERE o.nth > 1
     UNION ALL
    SELECT 'workspace.project_members' AS table_name, 'member' AS kind, o.tenant_id, o.row_id,
           concat('user ', o.user_id, ' is a member of the project twice') AS detail
      FROM (SELECT m.tenant_id, m.id AS row_id, m.user_id,
                   row_number() OVER (PARTITION BY m.tenant_id, m.project_id, m.user_id ORDER BY m.id) AS nth
              FROM workspace.project_members AS m) AS o
     WHERE o.nth > 1
), numbered AS (
    SELECT d.table_name, d.kind, d.tenant_id, d.row_id, d.detail,
           count(*) OVER (PARTITION BY d.table_name, d.kind) AS total,
           row_number() OVER (PARTITION BY d.table_name, d.kind ORDER BY d.tenant_id, d.row_id) AS place
      FROM damage AS d
     WHERE CASE WHEN :tenant_id::uuid IS NULL THEN true ELSE d.tenant_id = :tenant_id END
)
SELECT 'workspace_duplicates' AS check_name, n.table_name, n.kind, n.tenant_id, n.row_id, n.detail, n.total AS count
  FROM numbered AS n
 WHERE CASE WHEN :most::int IS NULL THEN true ELSE n.place <= :most END
 ORDER BY n.table_name, n.place
