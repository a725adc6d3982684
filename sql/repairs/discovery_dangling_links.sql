-- name: repairs.discovery_dangling_links :affected
-- Plans what becomes of the rows that integrity.discovery_dangling_links finds.
-- param: run_id uuid
-- allow: tenant_predicate an operator looks at all tenants
-- allow: tenant_insert the row's own tenant
-- allow: seq_scan a check reads what it checks
-- budget: 500000 buffers
WITH planned AS (
    SELECT c.tenant_id, 'discovery.master_flows' AS table_name, c.id AS row_id, 'quarantine' AS action, NULL::jsonb AS changes,
           1.00 AS confidence, 'the row that project_id names is gone, and whoever removed it removes this one too' AS evidence
      FROM discovery.master_flows AS c
     WHERE num_nulls(c.project_id) <> 1
       AND NOT EXISTS (SELECT FROM workspace.projects AS p WHERE p.id = c.project_id)
     UNION ALL
    SELECT c.tenant_id, 'discovery.master_flows' AS table_name, c.id AS row_id, 'update' AS action, jsonb_build_object('parent_flow_id', NULL::text) AS changes,
           1.00 AS confidence, 'the row that parent_flow_id named is gone: the delete rule would have left NULL' AS evidence
      FROM discovery.master_flows AS c
     WHERE num_nulls(c.parent_flow_id) <> 1
       AND NOT EXISTS (SELECT FROM discovery.master_flows AS p WHERE p.id = c.parent_flow_id)
     UNION ALL
    SELECT c.tenant_id, 'discovery.master_flows' AS table_name, c.id AS row_id, 'update' AS action, jsonb_build_object('created_by', NULL::text) AS changes,
           1.00 AS confidence, 'the row that created_by named is gone: the delete rule would have left NULL' AS evidence
      FROM discovery.master_flows AS c
     WHERE num_nulls(c.created_by) <> 1
       AND NOT EXISTS (SELECT FROM workspace.users AS p WHERE p.id = c.created_by)
     UNION ALL
    SELECT c.tenant_id, 'discovery.flow_transitions' AS table_name, c.id AS row_id, 'quarantine' AS action, NULL::jsonb AS changes,
           1.00 AS confidence, 'the row that master_flow_id names is gone, and whoever removed it removes this one too' AS evidence
      FROM discovery.flow_transitions AS c
     WHERE num_nulls(c.master_flow_id) <> 1
       AND NOT EXISTS (SELECT FROM discovery.master_flows AS p WHERE p.id = c.master_flow_id)
     UNION ALL
    SELECT c.tenant_id, 'discovery.data_imports' AS table_name, c.id AS row_id, 'quarantine' AS action, NULL::jsonb AS changes,
           1.00 AS confidence, 'the row that master_flow_id names is gone, and whoever removed it removes this one too' AS evidence
      FROM discovery.data_imports AS c
     WHERE num_nulls(c.master_flow_id) <> 1
       AND NOT EXISTS (SELECT FROM discovery.master_flows AS p WHERE p.id = c.master_flow_id)
     UNION ALL
    SELECT c.tenant_id, 'discovery.data_imports' AS table_name, c.id AS row_id, 'update' AS action, jsonb_build_object('imported_by', NULL::text) AS changes,
           1.00 AS confidence, 'the row that imported_by named is gone: the delete rule would have left NULL' AS evidence
      FROM discovery.data_imports AS c
     WHERE num_nulls(c.imported_by) <> 1
       AND NOT EXISTS (SELECT FROM workspace.users AS p WHERE p.id = c.imported_by)
     UNION ALL
    SELECT c.tenant_id, 'discovery.discovery_flows' AS table_name, c.id AS row_id, 'quarantine' AS action, NULL::jsonb AS changes,
           1.00 AS confidence, 'the row that master_flow_id names is gone, and whoever removed it removes this one too' AS evidence
      FROM discovery.discovery_flows AS c
     WHERE num_nulls(c.master_flow_id) <> 1
       AND NOT EXISTS (SELECT FROM discovery.master_flows AS p WHERE p.id = c.master_flow_id)
     UNION ALL
    SELECT c.tenant_id, 'discovery.discovery_flows' AS table_name, c.id AS row_id, 'quarantine' AS action, NULL::jsonb AS changes,
           1.00 AS confidence, 'the row that data_import_id names is gone, and whoever removed it removes this one too' AS evidence
      FROM discovery.discovery_flows AS c
     WHERE num_nulls(c.data_import_id) <> 1
       AND NOT EXISTS (SELECT FROM discovery.data_imports AS p WHERE p.id = c.data_import_id)
     UNION ALL
    SELECT c.tenant_id, 'discovery.raw_records' AS table_name, c.id AS row_id, 'quarantine' AS action, NULL::jsonb AS changes,
           1.00 AS confidence, 'the row that data_import_id names is gone, and whoever removed it removes this one too' AS evidence
      FROM discovery.raw_records AS c
     WHERE num_nulls(c.data_import_id) <> 1
       AND NOT EXISTS (SELECT FROM discovery.data_imports AS p WHERE p.id = c.data_import_id)
     UNION ALL
    SELECT c.tenant_id, 'discovery.raw_records' AS table_name, c.id AS row_id, 'quarantine' AS action, NULL::jsonb AS changes,
           1.00 AS confidence, 'the row that master_flow_id names is gone, and whoever removed it removes this one too' AS evidence
      FROM discovery.raw_records AS c
     WHERE num_nulls(c.master_flow_id) <> 1
       AND NOT EXISTS (SELECT FROM discovery.master_flows AS p WHERE p.id = c.master_flow_id)
     UNION ALL
    SELECT c.tenant_id, 'discovery.raw_records' AS table_name, c.id AS row_id, 'update' AS action, jsonb_build_object('asset_id', NULL::text) AS changes,
           1.00 AS confidence, 'the row that asset_id named is gone: the delete rule would have left NULL' AS evidence
      FROM discovery.raw_records AS c
     WHERE num_nulls(c.asset_id) <> 1
       AND NOT EXISTS (SELECT FROM discovery.assets AS p WHERE p.id = c.asset_id)
     UNION ALL
    SELECT c.tenant_id, 'discovery.field_mappings' AS table_name, c.id AS row_id, 'quarantine' AS action, NULL::jsonb AS changes,
           1.00 AS confidence, 'the row that data_import_id names is gone, and whoever removed it removes this one too' AS evidence
      FROM discovery.field_mappings AS c
     WHERE num_nulls(c.data_import_id) <> 1
       AND NOT EXISTS (SELECT FROM discovery.data_imports AS p WHERE p.id = c.data_import_id)
     UNION ALL
    SELECT c.tenant_id, 'discovery.field_mappings' AS table_name, c.id AS row_id, 'update' AS action, jsonb_build_object('decided_by', NULL::text) AS changes,
           1.00 AS confidence, 'the row that decided_by named is gone: the delete rule would have left NULL' AS evidence
      FROM discovery.field_mappings AS c
     WHERE num_nulls(c.decided_by) <> 1
       AND NOT EXISTS (SELECT FROM workspace.users AS p WHERE p.id = c.decided_by)
     UNION ALL
    SELECT c.tenant_id, 'discovery.assets' AS table_name, c.id AS row_id, 'quarantine' AS action, NULL::jsonb AS changes,
           1.00 AS confidence, 'the row that master_flow_id names is gone, and whoever removed it removes this one too' AS evidence
      FROM discovery.assets AS c
     WHERE num_nulls(c.master_flow_id) <> 1
       AND NOT EXISTS (SELECT FROM discovery.master_flows AS p WHERE p.id = c.master_flow_id)
     UNION ALL
    SELECT c.tenant_id, 'discovery.assets' AS table_name, c.id AS row_id, 'update' AS action, jsonb_build_object('discovery_flow_id', NULL::text) AS changes,
           1.00 AS confidence, 'the row that discovery_flow_id named is gone: the delete rule would have left NULL' AS evidence
      FROM discovery.assets AS c
     WHERE num_nulls(c.discovery_flow_id) <> 1
       AND NOT EXISTS (SELECT FROM discovery.discovery_flows AS p WHERE p.id = c.discovery_flow_id)
     UNION ALL
    SELECT c.tenant_id, 'discovery.assets' AS table_name, c.id AS row_id, 'update' AS action, jsonb_build_object('raw_record_id', NULL::text) AS changes,
           1.00 AS confidence, 'the row that raw_record_id named is gone: the delete rule would have left NULL' AS evidence
      FROM discovery.assets AS c
     WHERE num_nulls(c.raw_record_id) <> 1
       AND NOT EXISTS (SELECT FROM discovery.raw_records AS p WHERE p.id = c.raw_record_id)
     UNION ALL
    SELECT c.tenant_id, 'discovery.asset_dependencies' AS table_name, c.id AS row_id, 'quarantine' AS action, NULL::jsonb AS changes,
           1.00 AS confidence, 'the row that asset_id names is gone, and whoever removed it removes this one too' AS evidence
      FROM discovery.asset_dependencies AS c
     WHERE num_nulls(c.asset_id) <> 1
       AND NOT EXISTS (SELECT FROM discovery.assets AS p WHERE p.id = c.asset_id)
     UNION ALL
    SELECT c.tenant_id, 'discovery.asset_dependencies' AS table_name, c.id AS row_id, 'update' AS action, jsonb_build_object('depends_on_id', NULL::text) AS changes,
           1.00 AS confidence, 'the row that depends_on_id named is gone: the delete rule would have left NULL' AS evidence
      FROM discovery.asset_dependencies AS c
     WHERE num_nulls(c.depends_on_id) <> 1
       AND NOT EXISTS (SELECT FROM discovery.assets AS p WHERE p.id = c.depends_on_id)
     UNION ALL
    SELECT c.tenant_id, 'discovery.asset_conflicts' AS table_name, c.id AS row_id, 'quarantine' AS action, NULL::jsonb AS changes,
           1.00 AS confidence, 'the row that master_flow_id names is gone, and whoever removed it removes this one too' AS evidence
      FROM discovery.asset_conflicts AS c
     WHERE num_nulls(c.master_flow_id) <> 1
       AND NOT EXISTS (SELECT FROM discovery.master_flows AS p WHERE p.id = c.master_flow_id)
     UNION ALL
    SELECT c.tenant_id, 'discovery.asset_conflicts' AS table_name, c.id AS row_id, 'quarantine' AS action, NULL::jsonb AS changes,
           1.00 AS confidence, 'the row that raw_record_id names is gone, and whoever removed it removes this one too' AS evidence
      FROM discovery.asset_conflicts AS c
     WHERE num_nulls(c.raw_record_id) <> 1
       AND NOT EXISTS (SELECT FROM discovery.raw_records AS p WHERE p.id = c.raw_record_id)
     UNION ALL
    SELECT c.tenant_id, 'discovery.asset_conflicts' AS table_name, c.id AS row_id, 'quarantine' AS action, NULL::jsonb AS changes,
           1.00 AS confidence, 'the row that asset_id names is gone, and whoever removed it removes this one too' AS evidence
      FROM discovery.asset_conflicts AS c
     WHERE num_nulls(c.asset_id) <> 1
       AND NOT EXISTS (SELECT FROM discovery.assets AS p WHERE p.id = c.asset_id)
     UNION ALL
    SELECT c.tenant_id, 'discovery.asset_conflicts' AS table_name, c.id AS row_id, 'update' AS action, jsonb_build_object('resolved_by', NULL::text) AS changes,
           1.00 AS confidence, 'the row that resolved_by named is gone: the delete rule would have left NULL' AS evidence
      FROM discovery.asset_conflicts AS c
     WHERE num_nulls(c.resolved_by) <> 1
       AND NOT EXISTS (SELECT FROM workspace.users AS p WHERE p.id = c.resolved_by)
)
INSERT INTO ops.repairs (tenant_id, run_id, check_name, table_name, row_id, action, changes, confidence, evidence)
SELECT p.tenant_id, :run_id, 'discovery_dangling_links', p.table_name, p.row_id, p.action, p.changes, p.confidence, p.evidence
  FROM planned AS p
    ON CONFLICT (run_id, table_name, tenant_id, row_id, action, check_name) DO NOTHING
