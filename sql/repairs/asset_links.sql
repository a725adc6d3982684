-- name: repairs.asset_links :affected
-- Assets, mappings, dependencies, conflicts and transitions that have lost what they belong to.
-- param: run_id uuid
-- allow: tenant_predicate an operator looks at all tenants
-- allow: tenant_insert the row's own tenant
WITH planned AS (
    SELECT a.tenant_id, 'discovery.assets' AS table_name, a.id AS row_id, coalesce(d.master_flow_id, r.master_flow_id) AS master_flow_id,
           CASE WHEN d.master_flow_id IS NULL THEN 'the row that it was made from belongs to this flow'
                ELSE 'its discovery flow belongs to this flow' END AS evidence,
           d.master_flow_id <> r.master_flow_id AS contradictory
      FROM discovery.assets AS a
      LEFT JOIN discovery.discovery_flows AS d ON d.tenant_id = a.tenant_id AND d.project_id = a.project_id AND d.id = a.discovery_flow_id
      LEFT JOIN discovery.raw_records AS r ON r.tenant_id = a.tenant_id AND r.project_id = a.project_id AND r.id = a.raw_record_id
     WHERE num_nulls(a.master_flow_id) = 1
     UNION ALL
    SELECT k.tenant_id, 'discovery.asset_conflicts', k.id, CASE WHEN num_nulls(k.raw_record_id, k.asset_id) = 0 THEN r.master_flow_id END,
           'the row in conflict belongs to this flow', false
      FROM discovery.asset_conflicts AS k
      LEFT JOIN discovery.raw_records AS r ON r.tenant_id = k.tenant_id AND r.project_id = k.project_id AND r.id = k.raw_record_id
     WHERE num_nulls(k.master_flow_id, k.raw_record_id, k.asset_id) > 0
     UNION ALL
    SELECT m.tenant_id, 'discovery.field_mappings', m.id, NULL, '', false
      FROM discovery.field_mappings AS m
     WHERE num_nulls(m.data_import_id) = 1
     UNION ALL
    SELECT e.tenant_id, 'discovery.asset_dependencies', e.id, NULL, '', false
      FROM discovery.asset_dependencies AS e
     WHERE num_nulls(e.asset_id) = 1
     UNION ALL
    SELECT t.tenant_id, 'discovery.flow_transitions', t.id, NULL, '', false
      FROM discovery.flow_transitions AS t
     WHERE num_nulls(t.master_flow_id) = 1
), judged AS (
    SELECT p.tenant_id, p.table_name, p.row_id, p.master_flow_id, p.evidence,
           p.master_flow_id IS NOT NULL AND p.contradictory IS NOT TRUE AS is_clear
      FROM planned AS p
)
INSERT INTO ops.repairs (tenant_id, run_id, check_name, table_name, row_id, action, changes, confidence, evidence)
SELECT j.tenant_id, :run_id, 'discovery_missing_links', j.table_name, j.row_id,
       CASE WHEN j.is_clear THEN 'update' ELSE 'quarantine' END,
       CASE WHEN j.is_clear THEN jsonb_build_object('master_flow_id', j.master_flow_id) END,
       CASE WHEN j.is_clear THEN 0.95 ELSE 0.50 END,
       CASE WHEN j.is_clear THEN j.evidence ELSE 'nothing says, or two things contradict, where it belongs' END
  FROM judged AS j
    ON CONFLICT (run_id, table_name, tenant_id, row_id, action, check_name) DO NOTHING
