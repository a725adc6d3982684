-- name: repairs.flow_links :affected
-- Discovery flows that have lost their master flow or import. After repairs.import_links.
-- param: run_id uuid
-- allow: tenant_predicate an operator looks at all tenants
-- allow: tenant_insert the row's own tenant
WITH imports AS (
    SELECT i.tenant_id, i.project_id, i.id, coalesce(i.master_flow_id, (r.changes ->> 'master_flow_id')::uuid) AS master_flow_id
      FROM discovery.data_imports AS i
      LEFT JOIN ops.repairs AS r
        ON r.run_id = :run_id AND r.table_name = 'discovery.data_imports' AND r.tenant_id = i.tenant_id
       AND r.row_id = i.id AND r.action = 'update'
)
INSERT INTO ops.repairs (tenant_id, run_id, check_name, table_name, row_id, action, changes, confidence, evidence)
SELECT d.tenant_id, :run_id, 'discovery_missing_links', 'discovery.discovery_flows', d.id,
       CASE WHEN i.master_flow_id IS NULL THEN 'quarantine' ELSE 'update' END,
       CASE WHEN i.master_flow_id IS NOT NULL
            THEN jsonb_build_object('master_flow_id', i.master_flow_id, 'data_import_id', i.id) END,
       CASE WHEN i.master_flow_id IS NULL THEN 0.50 ELSE 0.95 END,
       CASE WHEN i.master_flow_id IS NULL THEN 'nothing says where it belongs' ELSE 'one import names the same' END
  FROM discovery.discovery_flows AS d
  LEFT JOIN imports AS i
    ON i.tenant_id = d.tenant_id
   AND i.project_id = d.project_id
   AND (i.id = d.data_import_id OR (num_nulls(d.data_import_id) = 1 AND i.master_flow_id = d.master_flow_id))
 WHERE num_nulls(d.master_flow_id, d.data_import_id) > 0
    ON CONFLICT (run_id, table_name, tenant_id, row_id, action, check_name) DO NOTHING
