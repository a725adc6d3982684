-- name: integrity.discovery_duplicates :many
-- Rows of discovery that may be there only once: files, row numbers, mappings, live hostnames and ips, conflicts.
-- param: most int?   rows of evidence per table and kind of damage; all when absent
-- allow: tenant_predicate an operator looks at all tenants; row-level security holds a caller to its own
-- allow: seq_scan a check reads what it checks
WITH damage AS (
    SELECT 'discovery.data_imports' AS table_name, 'sha256' AS kind, o.tenant_id, o.row_id, 'the same file is imported already' AS detail
      FROM (SELECT x.tenant_id, x.id AS row_id, x.sha256, row_number() OVER (PARTITION BY x.tenant_id, x.project_id, x.sha256 ORDER BY x.id) AS nth
              FROM discovery.data_imports AS x) AS o
     WHERE o.nth > 1
     UNION ALL
    SELECT 'discovery.data_imports' AS table_name, 'master_flow_id' AS kind, o.tenant_id, o.row_id, concat('flow ', o.master_flow_id, ' has an import already') AS detail
      FROM (SELECT x.tenant_id, x.id AS row_id, x.master_flow_id, row_number() OVER (PARTITION BY x.tenant_id, x.project_id, x.master_flow_id ORDER BY x.id) AS nth
              FROM discovery.data_imports AS x
             WHERE num_nulls(x.master_flow_id) = 0) AS o
     WHERE o.nth > 1
     UNION ALL
    SELECT 'discovery.discovery_flows' AS table_name, 'master_flow_id' AS kind, o.tenant_id, o.row_id, concat('flow ', o.master_flow_id, ' has a discovery flow already') AS detail
      FROM (SELECT x.tenant_id, x.id AS row_id, x.master_flow_id, row_number() OVER (PARTITION BY x.tenant_id, x.project_id, x.master_flow_id ORDER BY x.id) AS nth
              FROM discovery.discovery_flows AS x
             WHERE num_nulls(x.master_flow_id) = 0) AS o
     WHERE o.nth > 1
     UNION ALL
    SELECT 'discovery.raw_records' AS table_name, 'row_number' AS kind, o.tenant_id, o.row_id, concat('row ', o.row_number, ' of the import is there already') AS detail
      FROM (SELECT x.tenant_id, x.id AS row_id, x.row_number, row_number() OVER (PARTITION BY x.tenant_id, x.data_import_id, x.project_id, x.row_number ORDER BY x.id) AS nth
              FROM (SELECT k.tenant_id, k.data_import_id, k.project_id, k.row_number FROM discovery.raw_records AS k
                     GROUP BY k.tenant_id, k.data_import_id, k.project_id, k.row_number
                    HAVING count(*) > 1) AS t
              JOIN discovery.raw_records AS x ON x.tenant_id = t.tenant_id AND x.data_import_id = t.data_import_id AND x.project_id = t.project_id AND x.row_number = t.row_number) AS o
     WHERE o.nth > 1
     UNION ALL
    SELECT 'discovery.field_mappings' AS table_name, 'source_field' AS kind, o.tenant_id, o.row_id, concat('column ', o.source_field, ' is mapped already') AS detail
      FROM (SELECT x.tenant_id, x.id AS row_id, x.source_field, row_number() OVER (PARTITION BY x.tenant_id, x.project_id, x.data_import_id, x.source_field ORDER BY x.id) AS nth
              FROM discovery.field_mappings AS x
             WHERE num_nulls(x.data_import_id) = 0) AS o
     WHERE o.nth > 1
     UNION ALL
    SELECT 'discovery.assets' AS table_name, 'hostname' AS kind, o.tenant_id, o.row_id, concat('a live asset of its type has hostname ', o.hostname, ' already') AS detail
      FROM (SELECT x.tenant_id, x.id AS row_id, x.hostname, row_number() OVER (PARTITION BY x.tenant_id, x.project_id, x.asset_type, x.hostname ORDER BY x.id) AS nth
              FROM (SELECT k.tenant_id, k.project_id, k.asset_type, k.hostname FROM discovery.assets AS k
                     WHERE k.deleted_at IS NULL AND k.hostname IS NOT NULL
                     GROUP BY k.tenant_id, k.project_id, k.asset_type, k.hostname
                    HAVING count(*) > 1) AS t
              JOIN discovery.assets AS x ON x.tenant_id = t.tenant_id AND x.project_id = t.project_id AND x.asset_type = t.asset_type AND x.hostname = t.hostname
             WHERE x.deleted_at IS NULL) AS o
     WHERE o.nth > 1
     UNION ALL
    SELECT 'discovery.assets' AS table_name, 'ip' AS kind, o.tenant_id, o.row_id, concat('a live asset of its type has ip ', host(o.ip), ' already') AS detail
      FROM (SELECT x.tenant_id, x.id AS row_id, x.ip, row_number() OVER (PARTITION BY x.tenant_id, x.project_id, x.asset_type, x.ip ORDER BY x.id) AS nth
              FROM (SELECT k.tenant_id, k.project_id, k.asset_type, k.ip FROM discovery.assets AS k
                     WHERE k.deleted_at IS NULL AND k.ip IS NOT NULL
                     GROUP BY k.tenant_id, k.project_id, k.asset_type, k.ip
                    HAVING count(*) > 1) AS t
              JOIN discovery.assets AS x ON x.tenant_id = t.tenant_id AND x.project_id = t.project_id AND x.asset_type = t.asset_type AND x.ip = t.ip
             WHERE x.deleted_at IS NULL) AS o
     WHERE o.nth > 1
     UNION ALL
    SELECT 'discovery.asset_conflicts' AS table_name, 'raw_record_id' AS kind, o.tenant_id, o.row_id, concat('row ', o.raw_record_id, ' is in conflict already') AS detail
      FROM (SELECT x.tenant_id, x.id AS row_id, x.raw_record_id, row_number() OVER (PARTITION BY x.tenant_id, x.project_id, x.raw_record_id ORDER BY x.id) AS nth
              FROM discovery.asset_conflicts AS x
             WHERE num_nulls(x.raw_record_id) = 0) AS o
     WHERE o.nth > 1
), numbered AS (
    SELECT d.table_name, d.kind, d.tenant_id, d.row_id, d.detail,
           count(*) OVER (PARTITION BY d.table_name, d.kind) AS total,
           row_number() OVER (PARTITION BY d.table_name, d.kind ORDER BY d.tenant_id, d.row_id) AS place
      FROM damage AS d
     WHERE CASE WHEN :tenant_id::uuid IS NULL THEN true ELSE d.tenant_id = :tenant_id END
)
SELECT 'discovery_duplicates' AS check_name, n.table_name, n.kind, n.tenant_id, n.row_id, n.detail, n.total AS count
  FROM numbered AS n
 WHERE CASE WHEN :most::int IS NULL THEN true ELSE n.place <= :most END
 ORDER BY n.table_name, n.place
