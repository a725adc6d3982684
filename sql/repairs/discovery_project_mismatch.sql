-- name: repairs.discovery_project_mismatch :affected
-- Plans what becomes of the rows that integrity.discovery_project_mismatch finds.
-- param: run_id uuid
-- allow: tenant_predicate an operator looks at all tenants
-- allow: tenant_insert the row's own tenant
WITH planned AS (
    SELECT c.tenant_id, 'discovery.master_flows' AS table_name, c.id AS row_id, 'update' AS action, jsonb_build_object('parent_flow_id', NULL::text) AS changes,
           0.80 AS confidence, 'parent_flow_id names a row of another project: a link that must not be' AS evidence
      FROM discovery.master_flows AS c
      JOIN discovery.master_flows AS p ON p.tenant_id = c.tenant_id AND p.id = c.parent_flow_id
     WHERE p.project_id <> c.project_id
     UNION ALL
    SELECT c.tenant_id, 'discovery.flow_transitions' AS table_name, c.id AS row_id, 'quarantine' AS action, NULL::jsonb AS changes,
           0.50 AS confidence, 'master_flow_id names a row of another project: nobody can tell whose it is' AS evidence
      FROM discovery.flow_transitions AS c
      JOIN discovery.master_flows AS p ON p.tenant_id = c.tenant_id AND p.id = c.master_flow_id
     WHERE p.project_id <> c.project_id
     UNION ALL
    SELECT c.tenant_id, 'discovery.data_imports' AS table_name, c.id AS row_id, 'quarantine' AS action, NULL::jsonb AS changes,
           0.50 AS confidence, 'master_flow_id names a row of another project: nobody can tell whose it is' AS evidence
      FROM discovery.data_imports AS c
      JOIN discovery.master_flows AS p ON p.tenant_id = c.tenant_id AND p.id = c.master_flow_id
     WHERE p.project_id <> c.project_id
     UNION ALL
    SELECT c.tenant_id, 'discovery.discovery_flows' AS table_name, c.id AS row_id, 'quarantine' AS action, NULL::jsonb AS changes,
           0.50 AS confidence, 'master_flow_id names a row of another project: nobody can tell whose it is' AS evidence
      FROM discovery.discovery_flows AS c
      JOIN discovery.master_flows AS p ON p.tenant_id = c.tenant_id AND p.id = c.master_flow_id
     WHERE p.project_id <> c.project_id
     UNION ALL
    SELECT c.tenant_id, 'discovery.discovery_flows' AS table_name, c.id AS row_id, 'quarantine' AS action, NULL::jsonb AS changes,
           0.50 AS confidence, 'data_import_id names a row of another project: nobody can tell whose it is' AS evidence
      FROM discovery.discovery_flows AS c
      JOIN discovery.data_imports AS p ON p.tenant_id = c.tenant_id AND p.id = c.data_import_id
     WHERE p.project_id <> c.project_id
     UNION ALL
    SELECT c.tenant_id, 'discovery.raw_records' AS table_name, c.id AS row_id, 'quarantine' AS action, NULL::jsonb AS changes,
           0.50 AS confidence, 'data_import_id names a row of another project: nobody can tell whose it is' AS evidence
      FROM discovery.raw_records AS c
      JOIN discovery.data_imports AS p ON p.tenant_id = c.tenant_id AND p.id = c.data_import_id
     WHERE p.project_id <> c.project_id
     UNION ALL
    SELECT c.tenant_id, 'discovery.raw_records' AS table_name, c.id AS row_id, 'quarantine' AS action, NULL::jsonb AS changes,
           0.50 AS confidence, 'master_flow_id names a row of another project: nobody can tell whose it is' AS evidence
      FROM discovery.raw_records AS c
      JOIN discovery.master_flows AS p ON p.tenant_id = c.tenant_id AND p.id = c.master_flow_id
     WHERE p.project_id <> c.project_id
     UNION ALL
    SELECT c.tenant_id, 'discovery.raw_records' AS table_name, c.id AS row_id, 'update' AS action, jsonb_build_object('asset_id', NULL::text) AS changes,
           0.80 AS confidence, 'asset_id names a row of another project: a link that must not be' AS evidence
      FROM discovery.raw_records AS c
      JOIN discovery.assets AS p ON p.tenant_id = c.tenant_id AND p.id = c.asset_id
     WHERE p.project_id <> c.project_id
     UNION ALL
    SELECT c.tenant_id, 'discovery.field_mappings' AS table_name, c.id AS row_id, 'quarantine' AS action, NULL::jsonb AS changes,
           0.50 AS confidence, 'data_import_id names a row of another project: nobody can tell whose it is' AS evidence
      FROM discovery.field_mappings AS c
      JOIN discovery.data_imports AS p ON p.tenant_id = c.tenant_id AND p.id = c.data_import_id
     WHERE p.project_id <> c.project_id
     UNION ALL
    SELECT c.tenant_id, 'discovery.assets' AS table_name, c.id AS row_id, 'quarantine' AS action, NULL::jsonb AS changes,
           0.50 AS confidence, 'master_flow_id names a row of another project: nobody can tell whose it is' AS evidence
      FROM discovery.assets AS c
      JOIN discovery.master_flows AS p ON p.tenant_id = c.tenant_id AND p.id = c.master_flow_id
     WHERE p.project_id <> c.project_id
     UNION ALL
    SELECT c.tenant_id, 'discovery.assets' AS table_name, c.id AS row_id, 'update' AS action, jsonb_build_object('discovery_flow_id', NULL::text) AS changes,
           0.80 AS confidence, 'discovery_flow_id names a row of another project: a link that must not be' AS evidence
      FROM discovery.assets AS c
      JOIN discovery.discovery_flows AS p ON p.tenant_id = c.tenant_id AND p.id = c.discovery_flow_id
     WHERE p.project_id <> c.project_id
     UNION ALL
    SELECT c.tenant_id, 'discovery.assets' AS table_name, c.id AS row_id, 'update' AS action, jsonb_build_object('raw_record_id', NULL::text) AS changes,
           0.80 AS confidence, 'raw_record_id names a row of another project: a link that must not be' AS evidence
      FROM discovery.assets AS c
      JOIN discovery.raw_records AS p ON p.tenant_id = c.tenant_id AND p.id = c.raw_record_id
     WHERE p.project_id <> c.project_id
     UNION ALL
    SELECT c.tenant_id, 'discovery.asset_dependencies' AS table_name, c.id AS row_id, 'quarantine' AS action, NULL::jsonb AS changes,
           0.50 AS confidence, 'asset_id names a row of another project: nobody can tell whose it is' AS evidence
      FROM discovery.asset_dependencies AS c
      JOIN discovery.assets AS p ON p.tenant_id = c.tenant_id AND p.id = c.asset_id
     WHERE p.project_id <> c.project_id
     UNION ALL
    SELECT c.tenant_id, 'discovery.asset_dependencies' AS table_name, c.id AS row_id, 'update' AS action, jsonb_build_object('depends_on_id', NULL::text) AS changes,
           0.80 AS confidence, 'depends_on_id names a row of another project: a link that must not be' AS evidence
      FROM discovery.asset_dependencies AS c
      JOIN discovery.assets AS p ON p.tenant_id = c.tenant_id AND p.id = c.depends_on_id
     WHERE p.project_id <> c.project_id
     UNION ALL
    SELECT c.tenant_id, 'discovery.asset_conflicts' AS table_name, c.id AS row_id, 'quarantine' AS action, NULL::jsonb AS changes,
           0.50 AS confidence, 'master_flow_id names a row of another project: nobody can tell whose it is' AS evidence
      FROM discovery.asset_conflicts AS c
      JOIN discovery.master_flows AS p ON p.tenant_id = c.tenant_id AND p.id = c.master_flow_id
     WHERE p.project_id <> c.project_id
     UNION ALL
    SELECT c.tenant_id, 'discovery.asset_conflicts' AS table_name, c.id AS row_id, 'quarantine' AS action, NULL::jsonb AS changes,
           0.50 AS confidence, 'raw_record_id names a row of another project: nobody can tell whose it is' AS evidence
      FROM discovery.asset_conflicts AS c
      JOIN discovery.raw_records AS p ON p.tenant_id = c.tenant_id AND p.id = c.raw_record_id
     WHERE p.project_id <> c.project_id
     UNION ALL
    SELECT c.tenant_id, 'discovery.asset_conflicts' AS table_name, c.id AS row_id, 'quarantine' AS action, NULL::jsonb AS changes,
           0.50 AS confidence, 'asset_id names a row of another project: nobody can tell whose it is' AS evidence
      FROM discovery.asset_conflicts AS c
      JOIN discovery.assets AS p ON p.tenant_id = c.tenant_id AND p.id = c.asset_id
     WHERE p.project_id <> c.project_id
)
INSERT INTO ops.repairs (tenant_id, run_id, check_name, table_name, row_id, action, changes, confidence, evidence)
SELECT p.tenant_id, :run_id, 'discovery_project_mismatch', p.table_name, p.row_id, p.action, p.changes, p.confidence, p.evidence
  FROM planned AS p
    ON CONFLICT (run_id, table_name, tenant_id, row_id, action, check_name) DO NOTHING
