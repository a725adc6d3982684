-- name: integrity.file_orphaned :many
-- Files on the disk that no completed export and no uploaded file knows. Younger ones than an hour may still be being written.
-- param: most int?   rows of evidence per table and kind of damage; all when absent
-- param: files jsonb   what lies there: [{"area", "tenant_id", "export_id", "file_sha256", "name", "age"}], age in seconds
-- null: row_id
-- allow: tenant_predicate an operator looks at all tenants; row-level security holds a caller to its own
-- budget: 100 buffers
WITH damage AS (
    SELECT 'workspace.exports' AS table_name, 'file' AS kind, f.tenant_id, f.export_id AS row_id,
           concat(f.name, ' belongs to no completed export') AS detail
      FROM jsonb_to_recordset(:files::jsonb)
           AS f (area text, tenant_id uuid, export_id uuid, file_sha256 text, name text, age float8)
     WHERE f.area = 'exports'
       AND f.age > 3600
       AND NOT EXISTS (SELECT FROM workspace.exports AS e
                        WHERE e.tenant_id = f.tenant_id
                          AND e.id = f.export_id
                          AND e.status IN ('running', 'completed')
                          AND (e.status = 'running' OR f.file_sha256 = encode(e.file_sha256, 'hex')))
     UNION ALL
    SELECT 'assistant.files' AS table_name, 'file' AS kind, f.tenant_id, NULL::uuid AS row_id,
           concat(f.name, ' belongs to no uploaded file') AS detail
      FROM jsonb_to_recordset(:files::jsonb) AS f (area text, tenant_id uuid, name text, age float8)
     WHERE f.area = 'uploads'
       AND f.age > 3600
       AND NOT EXISTS (SELECT FROM assistant.files AS u
                        WHERE u.tenant_id = f.tenant_id
                          AND u.stored_name = f.name
                          AND u.deleted_at IS NULL)
), numbered AS (
    SELECT d.table_name, d.kind, d.tenant_id, d.row_id, d.detail,
           count(*) OVER (PARTITION BY d.table_name, d.kind) AS total,
           row_number() OVER (PARTITION BY d.table_name, d.kind ORDER BY d.tenant_id, d.row_id) AS place
      FROM damage AS d
     WHERE CASE WHEN :tenant_id::uuid IS NULL THEN true ELSE d.tenant_id = :tenant_id END
)
SELECT 'file_orphaned' AS check_name, n.table_name, n.kind, n.tenant_id, n.row_id, n.detail, n.total AS count
  FROM numbered AS n
 WHERE CASE WHEN :most::int IS NULL THEN true ELSE n.place <= :most END
 ORDER BY n.table_name, n.place
