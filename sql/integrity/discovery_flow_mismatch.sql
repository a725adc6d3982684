-- name: integrity.discovery_flow_mismatch :many
-- Rows whose import or discovery flow belongs to another master flow than they do.
-- param: most int?   rows of evidence per table and kind of damage; all when absent
-- allow: tenant_predicate an operator looks at all tenants; row-level security holds a caller to its own
-- allow: seq_scan a check reads what it checks
WITH damage AS (
    -- Of raw records each import and flow is looked up once, in their index; rows are read where one is broken.
    SELECT 'discovery.raw_records' AS table_name, 'data_import_id' AS kind, c.tenant_id, c.id AS row_id,
           concat('its flow is ', c.master_flow_id, ', the flow of its import is ', l.flow_of_import) AS detail
      FROM (SELECT DISTINCT k.tenant_id, k.project_id, k.data_import_id, k.master_flow_id, i.master_flow_id AS flow_of_import
              FROM discovery.raw_records AS k
              JOIN discovery.data_imports AS i ON i.tenant_id = k.tenant_id AND i.id = k.data_import_id
              JOIN discovery.master_flows AS f ON f.tenant_id = k.tenant_id AND f.project_id = k.project_id AND f.id = k.master_flow_id
             WHERE i.master_flow_id <> k.master_flow_id) AS l
      JOIN discovery.raw_records AS c
        ON c.tenant_id = l.tenant_id AND c.project_id = l.project_id AND c.data_import_id = l.data_import_id AND c.master_flow_id = l.master_flow_id
     UNION ALL
    SELECT 'discovery.discovery_flows' AS table_name, 'data_import_id' AS kind, c.tenant_id, c.id AS row_id,
           concat('its flow is ', c.master_flow_id, ', the flow of its import is ', i.master_flow_id) AS detail
      FROM discovery.discovery_flows AS c
      JOIN discovery.data_imports AS i ON i.tenant_id = c.tenant_id AND i.id = c.data_import_id
      JOIN discovery.master_flows AS f ON f.tenant_id = c.tenant_id AND f.project_id = c.project_id AND f.id = c.master_flow_id
     WHERE i.master_flow_id <> c.master_flow_id
     UNION ALL
    SELECT 'discovery.assets' AS table_name, 'discovery_flow_id' AS kind, c.tenant_id, c.id AS row_id,
           concat('its flow is ', c.master_flow_id, ', that of its discovery flow is ', d.master_flow_id) AS detail
      FROM discovery.assets AS c
      JOIN discovery.discovery_flows AS d ON d.tenant_id = c.tenant_id AND d.id = c.discovery_flow_id
      JOIN discovery.master_flows AS f ON f.tenant_id = c.tenant_id AND f.project_id = c.project_id AND f.id = c.master_flow_id
     WHERE d.master_flow_id <> c.master_flow_id
), numbered AS (
    SELECT d.table_name, d.kind, d.tenant_id, d.row_id, d.detail,
           count(*) OVER (PARTITION BY d.table_name, d.kind) AS total,
           row_number() OVER (PARTITION BY d.table_name, d.kind ORDER BY d.tenant_id, d.row_id) AS place
      FROM damage AS d
     WHERE CASE WHEN :tenant_id::uuid IS NULL THEN true ELSE d.tenant_id = :tenant_id END
)
SELECT 'discovery_flow_mismatch' AS check_name, n.table_name, n.kind, n.tenant_id, n.row_id, n.detail, n.total AS count
  FROM numbered AS n
 WHERE CASE WHEN :most::int IS NULL THEN true ELSE n.place <= :most END
 ORDER BY n.table_name, n.place
