-- name: integrity.discovery_missing_links :many
-- Links that must be there and are NULL, of discovery: their rows belong to nobody.
-- param: most int?   rows of evidence per table and kind of damage; all when absent
-- allow: tenant_predicate an operator looks at all tenants; row-level security holds a caller to its own
-- allow: seq_scan a check reads what it checks
WITH damage AS (
    -- Of raw records an index tells first whether there is any at all; rows are read then alone.
    -- Not IS NULL: the planner takes NOT NULL at its word, and that word is what is looked at.
    SELECT 'discovery.master_flows' AS table_name, 'project_id' AS kind, c.tenant_id, c.id AS row_id,
           'project_id is NULL: which row of workspace.projects it belongs to is lost' AS detail
      FROM discovery.master_flows AS c
     WHERE num_nulls(c.project_id) = 1
     UNION ALL
    SELECT 'discovery.flow_transitions' AS table_name, 'master_flow_id' AS kind, c.tenant_id, c.id AS row_id,
           'master_flow_id is NULL: which row of discovery.master_flows it belongs to is lost' AS detail
      FROM discovery.flow_transitions AS c
     WHERE num_nulls(c.master_flow_id) = 1
     UNION ALL
    SELECT 'discovery.data_imports' AS table_name, 'master_flow_id' AS kind, c.tenant_id, c.id AS row_id,
           'master_flow_id is NULL: which row of discovery.master_flows it belongs to is lost' AS detail
      FROM discovery.data_imports AS c
     WHERE num_nulls(c.master_flow_id) = 1
     UNION ALL
    SELECT 'discovery.discovery_flows' AS table_name, 'master_flow_id' AS kind, c.tenant_id, c.id AS row_id,
           'master_flow_id is NULL: which row of discovery.master_flows it belongs to is lost' AS detail
      FROM discovery.discovery_flows AS c
     WHERE num_nulls(c.master_flow_id) = 1
     UNION ALL
    SELECT 'discovery.discovery_flows' AS table_name, 'data_import_id' AS kind, c.tenant_id, c.id AS row_id,
           'data_import_id is NULL: which row of discovery.data_imports it belongs to is lost' AS detail
      FROM discovery.discovery_flows AS c
     WHERE num_nulls(c.data_import_id) = 1
     UNION ALL
    SELECT 'discovery.raw_records' AS table_name, 'data_import_id' AS kind, c.tenant_id, c.id AS row_id,
           'data_import_id is NULL: which row of discovery.data_imports it belongs to is lost' AS detail
      FROM discovery.raw_records AS c
     WHERE num_nulls(c.data_import_id) = 1
       AND EXISTS (SELECT FROM discovery.raw_records AS k WHERE num_nulls(k.data_import_id) = 1)
     UNION ALL
    SELECT 'discovery.raw_records' AS table_name, 'master_flow_id' AS kind, c.tenant_id, c.id AS row_id,
           'master_flow_id is NULL: which row of discovery.master_flows it belongs to is lost' AS detail
      FROM discovery.raw_records AS c
     WHERE num_nulls(c.master_flow_id) = 1
       AND EXISTS (SELECT FROM discovery.raw_records AS k WHERE num_nulls(k.master_flow_id) = 1)
     UNION ALL
    SELECT 'discovery.field_mappings' AS table_name, 'data_import_id' AS kind, c.tenant_id, c.id AS row_id,
           'data_import_id is NULL: which row of discovery.data_imports it belongs to is lost' AS detail
      FROM discovery.field_mappings AS c
     WHERE num_nulls(c.data_import_id) = 1
     UNION ALL
    SELECT 'discovery.assets' AS table_name, 'master_flow_id' AS kind, c.tenant_id, c.id AS row_id,
           'master_flow_id is NULL: which row of discovery.master_flows it belongs to is lost' AS detail
      FROM discovery.assets AS c
     WHERE num_nulls(c.master_flow_id) = 1
     UNION ALL
    SELECT 'discovery.asset_dependencies' AS table_name, 'asset_id' AS kind, c.tenant_id, c.id AS row_id,
           'asset_id is NULL: which row of discovery.assets it belongs to is lost' AS detail
      FROM discovery.asset_dependencies AS c
     WHERE num_nulls(c.asset_id) = 1
     UNION ALL
    SELECT 'discovery.asset_conflicts' AS table_name, 'master_flow_id' AS kind, c.tenant_id, c.id AS row_id,
           'master_flow_id is NULL: which row of discovery.master_flows it belongs to is lost' AS detail
      FROM discovery.asset_conflicts AS c
     WHERE num_nulls(c.master_flow_id) = 1
     UNION ALL
    SELECT 'discovery.asset_conflicts' AS table_name, 'raw_record_id' AS kind, c.tenant_id, c.id AS row_id,
           'raw_record_id is NULL: which row of discovery.raw_records it belongs to is lost' AS detail
      FROM discovery.asset_conflicts AS c
     WHERE num_nulls(c.raw_record_id) = 1
     UNION ALL
    SELECT 'discovery.asset_conflicts' AS table_name, 'asset_id' AS kind, c.tenant_id, c.id AS row_id,
           'asset_id is NULL: which row of discovery.assets it belongs to is lost' AS detail
      FROM discovery.asset_conflicts AS c
     WHERE num_nulls(c.asset_id) = 1
), numbered AS (
    SELECT d.table_name, d.kind, d.tenant_id, d.row_id, d.detail,
           count(*) OVER (PARTITION BY d.table_name, d.kind) AS total,
           row_number() OVER (PARTITION BY d.table_name, d.kind ORDER BY d.tenant_id, d.row_id) AS place
      FROM damage AS d
     WHERE CASE WHEN :tenant_id::uuid IS NULL THEN true ELSE d.tenant_id = :tenant_id END
)
SELECT 'discovery_missing_links' AS check_name, n.table_name, n.kind, n.tenant_id, n.row_id, n.detail, n.total AS count
  FROM numbered AS n
 WHERE CASE WHEN :most::int IS NULL THEN true ELSE n.place <= :most END
 ORDER BY n.table_name, n.place
