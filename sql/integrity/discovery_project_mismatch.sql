-- name: integrity.discovery_project_mismatch :many
-- Links of discovery that lead to another project's row of the same tenant.
-- param: most int?   rows of evidence per table and kind of damage; all when absent
-- allow: tenant_predicate an operator looks at all tenants; row-level security holds a caller to its own
-- allow: seq_scan a check reads what it checks
WITH damage AS (
    -- Of raw records each import and flow is looked up once, in their index. OFFSET 0: their rows are read
    -- afterwards, where one is broken.
    SELECT 'discovery.master_flows' AS table_name, 'parent_flow_id' AS kind, c.tenant_id, c.id AS row_id,
           concat('parent_flow_id ', c.parent_flow_id, ' belongs to project ', p.project_id, ', this row to ', c.project_id) AS detail
      FROM discovery.master_flows AS c
      JOIN discovery.master_flows AS p ON p.tenant_id = c.tenant_id AND p.id = c.parent_flow_id
     WHERE p.project_id <> c.project_id
     UNION ALL
    SELECT 'discovery.flow_transitions' AS table_name, 'master_flow_id' AS kind, c.tenant_id, c.id AS row_id,
           concat('master_flow_id ', c.master_flow_id, ' belongs to project ', p.project_id, ', this row to ', c.project_id) AS detail
      FROM discovery.flow_transitions AS c
      JOIN discovery.master_flows AS p ON p.tenant_id = c.tenant_id AND p.id = c.master_flow_id
     WHERE p.project_id <> c.project_id
     UNION ALL
    SELECT 'discovery.data_imports' AS table_name, 'master_flow_id' AS kind, c.tenant_id, c.id AS row_id,
           concat('master_flow_id ', c.master_flow_id, ' belongs to project ', p.project_id, ', this row to ', c.project_id) AS detail
      FROM discovery.data_imports AS c
      JOIN discovery.master_flows AS p ON p.tenant_id = c.tenant_id AND p.id = c.master_flow_id
     WHERE p.project_id <> c.project_id
     UNION ALL
    SELECT 'discovery.discovery_flows' AS table_name, 'master_flow_id' AS kind, c.tenant_id, c.id AS row_id,
           concat('master_flow_id ', c.master_flow_id, ' belongs to project ', p.project_id, ', this row to ', c.project_id) AS detail
      FROM discovery.discovery_flows AS c
      JOIN discovery.master_flows AS p ON p.tenant_id = c.tenant_id AND p.id = c.master_flow_id
     WHERE p.project_id <> c.project_id
     UNION ALL
    SELECT 'discovery.discovery_flows' AS table_name, 'data_import_id' AS kind, c.tenant_id, c.id AS row_id,
           concat('data_import_id ', c.data_import_id, ' belongs to project ', p.project_id, ', this row to ', c.project_id) AS detail
      FROM discovery.discovery_flows AS c
      JOIN discovery.data_imports AS p ON p.tenant_id = c.tenant_id AND p.id = c.data_import_id
     WHERE p.project_id <> c.project_id
     UNION ALL
    SELECT 'discovery.raw_records' AS table_name, 'data_import_id' AS kind, l.tenant_id, c.id AS row_id,
           concat('data_import_id ', l.data_import_id, ' belongs to project ', l.other_id, ', this row to ', l.project_id) AS detail
      FROM (SELECT DISTINCT k.tenant_id, k.project_id, k.data_import_id, o.project_id AS other_id FROM discovery.raw_records AS k
              JOIN discovery.data_imports AS o ON o.tenant_id = k.tenant_id AND o.id = k.data_import_id
             WHERE o.project_id <> k.project_id) AS l
      CROSS JOIN LATERAL (SELECT r.id FROM discovery.raw_records AS r WHERE r.tenant_id = l.tenant_id AND r.data_import_id = l.data_import_id AND r.project_id = l.project_id OFFSET 0) AS c
     UNION ALL
    SELECT 'discovery.raw_records' AS table_name, 'master_flow_id' AS kind, l.tenant_id, c.id AS row_id,
           concat('master_flow_id ', l.master_flow_id, ' belongs to project ', l.other_id, ', this row to ', l.project_id) AS detail
      FROM (SELECT DISTINCT k.tenant_id, k.project_id, k.data_import_id, k.master_flow_id, o.project_id AS other_id FROM discovery.raw_records AS k
              JOIN discovery.master_flows AS o ON o.tenant_id = k.tenant_id AND o.id = k.master_flow_id
             WHERE o.project_id <> k.project_id) AS l
      CROSS JOIN LATERAL (SELECT r.id FROM discovery.raw_records AS r WHERE r.tenant_id = l.tenant_id AND r.data_import_id = l.data_import_id AND r.project_id = l.project_id AND r.master_flow_id = l.master_flow_id OFFSET 0) AS c
     UNION ALL
    SELECT 'discovery.raw_records' AS table_name, 'asset_id' AS kind, l.tenant_id, c.id AS row_id,
           concat('asset_id ', l.asset_id, ' belongs to project ', l.other_id, ', this row to ', l.project_id) AS detail
      FROM (SELECT DISTINCT k.tenant_id, k.project_id, k.asset_id, o.project_id AS other_id FROM discovery.raw_records AS k
              JOIN discovery.assets AS o ON o.tenant_id = k.tenant_id AND o.id = k.asset_id
             WHERE o.project_id <> k.project_id AND k.asset_id IS NOT NULL) AS l
      CROSS JOIN LATERAL (SELECT r.id FROM discovery.raw_records AS r WHERE r.tenant_id = l.tenant_id AND r.asset_id = l.asset_id AND r.project_id = l.project_id OFFSET 0) AS c
     UNION ALL
    SELECT 'discovery.field_mappings' AS table_name, 'data_import_id' AS kind, c.tenant_id, c.id AS row_id,
           concat('data_import_id ', c.data_import_id, ' belongs to project ', p.project_id, ', this row to ', c.project_id) AS detail
      FROM discovery.field_mappings AS c
      JOIN discovery.data_imports AS p ON p.tenant_id = c.tenant_id AND p.id = c.data_import_id
     WHERE p.project_id <> c.project_id
     UNION ALL
    SELECT 'discovery.assets' AS table_name, 'master_flow_id' AS kind, c.tenant_id, c.id AS row_id,
           concat('master_flow_id ', c.master_flow_id, ' belongs to project ', p.project_id, ', this row to ', c.project_id) AS detail
      FROM discovery.assets AS c
      JOIN discovery.master_flows AS p ON p.tenant_id = c.tenant_id AND p.id = c.master_flow_id
     WHERE p.project_id <> c.project_id
     UNION ALL
    SELECT 'discovery.assets' AS table_name, 'discovery_flow_id' AS kind, c.tenant_id, c.id AS row_id,
           concat('discovery_flow_id ', c.discovery_flow_id, ' belongs to project ', p.project_id, ', this row to ', c.project_id) AS detail
      FROM discovery.assets AS c
      JOIN discovery.discovery_flows AS p ON p.tenant_id = c.tenant_id AND p.id = c.discovery_flow_id
     WHERE p.project_id <> c.project_id
     UNION ALL
    SELECT 'discovery.assets' AS table_name, 'raw_record_id' AS kind, c.tenant_id, c.id AS row_id,
           concat('raw_record_id ', c.raw_record_id, ' belongs to project ', p.project_id, ', this row to ', c.project_id) AS detail
      FROM discovery.assets AS c
      JOIN discovery.raw_records AS p ON p.tenant_id = c.tenant_id AND p.id = c.raw_record_id
     WHERE p.project_id <> c.project_id
     UNION ALL
    SELECT 'discovery.asset_dependencies' AS table_name, 'asset_id' AS kind, c.tenant_id, c.id AS row_id,
           concat('asset_id ', c.asset_id, ' belongs to project ', p.project_id, ', this row to ', c.project_id) AS detail
      FROM discovery.asset_dependencies AS c
      JOIN discovery.assets AS p ON p.tenant_id = c.tenant_id AND p.id = c.asset_id
     WHERE p.project_id <> c.project_id
     UNION ALL
    SELECT 'discovery.asset_dependencies' AS table_name, 'depends_on_id' AS kind, c.tenant_id, c.id AS row_id,
           concat('depends_on_id ', c.depends_on_id, ' belongs to project ', p.project_id, ', this row to ', c.project_id) AS detail
      FROM discovery.asset_dependencies AS c
      JOIN discovery.assets AS p ON p.tenant_id = c.tenant_id AND p.id = c.depends_on_id
     WHERE p.project_id <> c.project_id
     UNION ALL
    SELECT 'discovery.asset_conflicts' AS table_name, 'master_flow_id' AS kind, c.tenant_id, c.id AS row_id,
           concat('master_flow_id ', c.master_flow_id, ' belongs to project ', p.project_id, ', this row to ', c.project_id) AS detail
      FROM discovery.asset_conflicts AS c
      JOIN discovery.master_flows AS p ON p.tenant_id = c.tenant_id AND p.id = c.master_flow_id
     WHERE p.project_id <> c.project_id
     UNION ALL
    SELECT 'discovery.asset_conflicts' AS table_name, 'raw_record_id' AS kind, c.tenant_id, c.id AS row_id,
           concat('raw_record_id ', c.raw_record_id, ' belongs to project ', p.project_id, ', this row to ', c.project_id) AS detail
      FROM discovery.asset_conflicts AS c
      JOIN discovery.raw_records AS p ON p.tenant_id = c.tenant_id AND p.id = c.raw_record_id
     WHERE p.project_id <> c.project_id
     UNION ALL
    SELECT 'discovery.asset_conflicts' AS table_name, 'asset_id' AS kind, c.tenant_id, c.id AS row_id,
           concat('asset_id ', c.asset_id, ' belongs to project ', p.project_id, ', this row to ', c.project_id) AS detail
      FROM discovery.asset_conflicts AS c
      JOIN discovery.assets AS p ON p.tenant_id = c.tenant_id AND p.id = c.asset_id
     WHERE p.project_id <> c.project_id
), numbered AS (
    SELECT d.table_name, d.kind, d.tenant_id, d.row_id, d.detail,
           count(*) OVER (PARTITION BY d.table_name, d.kind) AS total,
           row_number() OVER (PARTITION BY d.table_name, d.kind ORDER BY d.tenant_id, d.row_id) AS place
      FROM damage AS d
     WHERE CASE WHEN :tenant_id::uuid IS NULL THEN true ELSE d.tenant_id = :tenant_id END
)
SELECT 'discovery_project_mismatch' AS check_name, n.table_name, n.kind, n.tenant_id, n.row_id, n.detail, n.total AS count
  FROM numbered AS n
 WHERE CASE WHEN :most::int IS NULL THEN true ELSE n.place <= :most END
 ORDER BY n.table_name, n.place
