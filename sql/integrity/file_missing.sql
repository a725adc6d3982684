-- name: integrity.file_missing :many
-- Completed exports and uploaded files whose content is not on the disk.
-- param: most int?   rows of evidence per table and kind of damage; all when absent
-- param: files jsonb   what lies there: [{"area", "tenant_id", "export_id", "file_sha256", "name", "age"}], age in seconds
-- allow: tenant_predicate an operator looks at all tenants; row-level security holds a caller to its own
-- allow: seq_scan a check reads what it checks
-- budget: 1000 buffers
WITH damage AS (
    SELECT 'workspace.exports' AS table_name, 'file' AS kind, e.tenant_id, e.id AS row_id,
           concat('its file of ', e.file_size, ' bytes is not on the disk') AS detail
      FROM workspace.exports AS e
     WHERE e.status = 'completed'
       AND e.expires_at > now()
       AND NOT EXISTS (SELECT FROM jsonb_to_recordset(:files::jsonb) AS f (tenant_id uuid, export_id uuid, file_sha256 text)
                        WHERE f.tenant_id = e.tenant_id
                          AND f.export_id = e.id
                          AND f.file_sha256 = encode(e.file_sha256, 'hex'))
     UNION ALL
    SELECT 'assistant.files' AS table_name, 'file' AS kind, u.tenant_id, u.id AS row_id,
           concat('its content of ', u.size, ' bytes is not on the disk') AS detail
      FROM assistant.files AS u
     WHERE u.stored_name IS NOT NULL
       AND u.deleted_at IS NULL
       AND NOT EXISTS (SELECT FROM jsonb_to_recordset(:files::jsonb) AS f (area text, tenant_id uuid, name text)
                        WHERE f.area = 'uploads'
                          AND f.tenant_id = u.tenant_id
                          AND f.name = u.stored_name)
), numbered AS (
    SELECT d.table_name, d.kind, d.tenant_id, d.row_id, d.detail,
           count(*) OVER (PARTITION BY d.table_name, d.kind) AS total,
           row_number() OVER (PARTITION BY d.table_name, d.kind ORDER BY d.tenant_id, d.row_id) AS place
      FROM damage AS d
     WHERE CASE WHEN :tenant_id::uuid IS NULL THEN true ELSE d.tenant_id = :tenant_id END
)
SELECT 'file_missing' AS check_name, n.table_name, n.kind, n.tenant_id, n.row_id, n.detail, n.total AS count
  FROM numbered AS n
 WHERE CASE WHEN :most::int IS NULL THEN true ELSE n.place <= :most END
 ORDER BY n.table_name, n.place
