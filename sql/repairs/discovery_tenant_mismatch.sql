-- name: repairs.discovery_tenant_mismatch :affected
-- Plans what becomes of the rows that integrity.discovery_tenant_mismatch finds.
-- param: run_id uuid
-- allow: tenant_predicate an operator looks at all tenants
-- allow: tenant_insert the row's own tenant
-- allow: seq_scan it looks at all projects
-- budget: 100000 buffers
WITH planned AS (
    SELECT c.tenant_id, 'discovery.master_flows' AS table_name, c.id AS row_id, 'quarantine' AS action, NULL::jsonb AS changes,
           0.50 AS confidence, 'project_id names a row of another tenant: nobody can tell whose it is' AS evidence
      FROM discovery.master_flows AS c
      JOIN workspace.projects AS p ON p.id = c.project_id
     WHERE p.tenant_id <> c.tenant_id
     UNION ALL
    SELECT c.tenant_id, 'discovery.master_flows' AS table_name, c.id AS row_id, 'update' AS action, jsonb_build_object('parent_flow_id', NULL::text) AS changes,
           0.80 AS confidence, 'parent_flow_id names a row of another tenant: a link that must not be' AS evidence
      FROM discovery.master_flows AS c
      JOIN discovery.master_flows AS p ON p.id = c.parent_flow_id
     WHERE p.tenant_id <> c.tenant_id
     UNION ALL
    SELECT c.tenant_id, 'discovery.master_flows' AS table_name, c.id AS row_id, 'update' AS action, jsonb_build_object('created_by', NULL::text) AS changes,
           0.80 AS confidence, 'created_by names a row of another tenant: a link that must not be' AS evidence
      FROM discovery.master_flows AS c
      JOIN workspace.users AS p ON p.id = c.created_by
     WHERE p.tenant_id <> c.tenant_id
     UNION ALL
    SELECT c.tenant_id, 'discovery.flow_transitions' AS table_name, c.id AS row_id, 'quarantine' AS action, NULL::jsonb AS changes,
           0.50 AS confidence, 'master_flow_id names a row of another tenant: nobody can tell whose it is' AS evidence
      FROM discovery.flow_transitions AS c
      JOIN discovery.master_flows AS p ON p.id = c.master_flow_id
     WHERE p.tenant_id <> c.tenant_id
     UNION ALL
    SELECT c.tenant_id, 'discovery.data_imports' AS table_name, c.id AS row_id, 'quarantine' AS action, NULL::jsonb AS changes,
           0.50 AS confidence, 'master_flow_id names a row of another tenant: nobody can tell whose it is' AS evidence
      FROM discovery.data_imports AS c
      JOIN discovery.master_flows AS p ON p.id = c.master_flow_id
     WHERE p.tenant_id <> c.tenant_id
     UNION ALL
    SELECT c.tenant_id, 'discovery.data_imports' AS table_name, c.id AS row_id, 'update' AS action, jsonb_build_object('imported_by', NULL::text) AS changes,
           0.80 AS confidence, 'imported_by names a row of another tenant: a link that must not be' AS evidence
      FROM discovery.data_imports AS c
      JOIN workspace.users AS p ON p.id = c.imported_by
     WHERE p.tenant_id <> c.tenant_id
     UNION ALL
    SELECT c.tenant_id, 'discovery.discovery_flows' AS table_name, c.id AS row_id, 'quarantine' AS action, NULL::jsonb AS changes,
           0.50 AS confidence, 'master_flow_id names a row of another tenant: nobody can tell whose it is' AS evidence
      FROM discovery.discovery_flows AS c
      JOIN discovery.master_flows AS p ON p.id = c.master_flow_id
     WHERE p.tenant_id <> c.tenant_id
     UNION ALL
    SELECT c.tenant_id, 'discovery.discovery_flows' AS table_name, c.id AS row_id, 'quarantine' AS action, NULL::jsonb AS changes,
           0.50 AS confidence, 'data_import_id names a row of another tenant: nobody can tell whose it is' AS evidence
      FROM discovery.discovery_flows AS c
      JOIN discovery.data_imports AS p ON p.id = c.data_import_id
     WHERE p.tenant_id <> c.tenant_id
     UNION ALL
    SELECT c.tenant_id, 'discovery.raw_records' AS table_name, c.id AS row_id, 'quarantine' AS action, NULL::jsonb AS changes,
           0.50 AS confidence, 'data_import_id names a row of another tenant: nobody can tell whose it is' AS evidence
      FROM discovery.raw_records AS c
      JOIN discovery.data_imports AS p ON p.id = c.data_import_id
     WHERE p.tenant_id <> c.tenant_id
     UNION ALL
    SELECT c.tenant_id, 'discovery.raw_records' AS table_name, c.id AS row_id, 'quarantine' AS action, NULL::jsonb AS changes,
           0.50 AS confidence, 'master_flow_id names a row of another tenant: nobody can tell whose it is' AS evidence
      FROM discovery.raw_records AS c
      JOIN discovery.master_flows AS p ON p.id = c.master_flow_id
     WHERE p.tenant_id <> c.tenant_id
     UNION ALL
    SELECT c.tenant_id, 'discovery.raw_records' AS table_name, c.id AS row_id, 'update' AS action, jsonb_build_object('asset_id', NULL::text) AS changes,
           0.80 AS confidence, 'asset_id names a row of another tenant: a link that must not be' AS evidence
      FROM discovery.raw_records AS c
      JOIN discovery.assets AS p ON p.id = c.asset_id
     WHERE p.tenant_id <> c.tenant_id
     UNION ALL
    SELECT c.tenant_id, 'discovery.field_mappings' AS table_name, c.id AS row_id, 'quarantine' AS action, NULL::jsonb AS changes,
           0.50 AS confidence, 'data_import_id names a row of another tenant: nobody can tell whose it is' AS evidence
      FROM discovery.field_mappings AS c
      JOIN discovery.data_imports AS p ON p.id = c.data_import_id
     WHERE p.tenant_id <> c.tenant_id
     UNION ALL
    SELECT c.tenant_id, 'discovery.field_mappings' AS table_name, c.id AS row_id, 'update' AS action, jsonb_build_object('decided_by', NULL::text) AS changes,
           0.80 AS confidence, 'decided_by names a row of another tenant: a link that must not be' AS evidence
      FROM discovery.field_mappings AS c
      JOIN workspace.users AS p ON p.id = c.decided_by
     WHERE p.tenant_id <> c.tenant_id
     UNION ALL
    SELECT c.tenant_id, 'discovery.assets' AS table_name, c.id AS row_id, 'quarantine' AS action, NULL::jsonb AS changes,
           0.50 AS confidence, 'master_flow_id names a row of another tenant: nobody can tell whose it is' AS evidence
      FROM discovery.assets AS c
      JOIN discovery.master_flows AS p ON p.id = c.master_flow_id
     WHERE p.tenant_id <> c.tenant_id
     UNION ALL
    SELECT c.tenant_id, 'discovery.assets' AS table_name, c.id AS row_id, 'update' AS action, jsonb_build_object('discovery_flow_id', NULL::text) AS changes,
           0.80 AS confidence, 'discovery_flow_id names a row of another tenant: a link that must not be' AS evidence
      FROM discovery.assets AS c
      JOIN discovery.discovery_flows AS p ON p.id = c.discovery_flow_id
     WHERE p.tenant_id <> c.tenant_id
     UNION ALL
    SELECT c.tenant_id, 'discovery.assets' AS table_name, c.id AS row_id, 'update' AS action, jsonb_build_object('raw_record_id', NULL::text) AS changes,
           0.80 AS confidence, 'raw_record_id names a row of another tenant: a link that must not be' AS evidence
      FROM discovery.assets AS c
      JOIN discovery.raw_records AS p ON p.id = c.raw_record_id
     WHERE p.tenant_id <> c.tenant_id
     UNION ALL
    SELECT c.tenant_id, 'discovery.asset_dependencies' AS table_name, c.id AS row_id, 'quarantine' AS action, NULL::jsonb AS changes,
           0.50 AS confidence, 'asset_id names a row of another tenant: nobody can tell whose it is' AS evidence
      FROM discovery.asset_dependencies AS c
      JOIN discovery.assets AS p ON p.id = c.asset_id
     WHERE p.tenant_id <> c.tenant_id
     UNION ALL
    SELECT c.tenant_id, 'discovery.asset_dependencies' AS table_name, c.id AS row_id, 'update' AS action, jsonb_build_object('depends_on_id', NULL::text) AS changes,
           0.80 AS confidence, 'depends_on_id names a row of another tenant: a link that must not be' AS evidence
      FROM discovery.asset_dependencies AS c
      JOIN discovery.assets AS p ON p.id = c.depends_on_id
     WHERE p.tenant_id <> c.tenant_id
     UNION ALL
    SELECT c.tenant_id, 'discovery.asset_conflicts' AS table_name, c.id AS row_id, 'quarantine' AS action, NULL::jsonb AS changes,
           0.50 AS confidence, 'master_flow_id names a row of another tenant: nobody can tell whose it is' AS evidence
      FROM discovery.asset_conflicts AS c
      JOIN discovery.master_flows AS p ON p.id = c.master_flow_id
     WHERE p.tenant_id <> c.tenant_id
     UNION ALL
    SELECT c.tenant_id, 'discovery.asset_conflicts' AS table_name, c.id AS row_id, 'quarantine' AS action, NULL::jsonb AS changes,
           0.50 AS confidence, 'raw_record_id names a row of another tenant: nobody can tell whose it is' AS evidence
      FROM discovery.asset_conflicts AS c
      JOIN discovery.raw_records AS p ON p.id = c.raw_record_id
     WHERE p.tenant_id <> c.tenant_id
     UNION ALL
    SELECT c.tenant_id, 'discovery.asset_conflicts' AS table_name, c.id AS row_id, 'quarantine' AS action, NULL::jsonb AS changes,
           0.50 AS confidence, 'asset_id names a row of another tenant: nobody can tell whose it is' AS evidence
      FROM discovery.asset_conflicts AS c
      JOIN discovery.assets AS p ON p.id = c.asset_id
     WHERE p.tenant_id <> c.tenant_id
     UNION ALL
    SELECT c.tenant_id, 'discovery.asset_conflicts' AS table_name, c.id AS row_id, 'update' AS action, jsonb_build_object('resolved_by', NULL::text) AS changes,
           0.80 AS confidence, 'resolved_by names a row of another tenant: a link that must not be' AS evidence
      FROM discovery.asset_conflicts AS c
      JOIN workspace.users AS p ON p.id = c.resolved_by
     WHERE p.tenant_id <> c.tenant_id
)
INSERT INTO ops.repairs (tenant_id, run_id, check_name, table_name, row_id, action, changes, confidence, evidence)
SELECT p.tenant_id, :run_id, 'discovery_tenant_mismatch', p.table_name, p.row_id, p.action, p.changes, p.confidence, p.evidence
  FROM planned AS p
    ON CONFLICT (run_id, table_name, tenant_id, row_id, action, check_name) DO NOTHING
