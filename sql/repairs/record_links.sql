-- name: repairs.record_links :affected
-- Rows that have lost their master flow or import: their import knows the flow, and a flow has one import.
-- param: run_id uuid
-- allow: tenant_predicate an operator looks at all tenants
-- allow: tenant_insert the row's own tenant
WITH imports AS (
    SELECT i.tenant_id, i.project_id, i.id, coalesce(i.master_flow_id, (r.changes ->> 'master_flow_id')::uuid) AS master_flow_id,
           r.evidence, coalesce(r.confidence, 0.95) AS confidence
      FROM discovery.data_imports AS i
      LEFT JOIN ops.repairs AS r
        ON r.run_id = :run_id AND r.table_name = 'discovery.data_imports' AND r.tenant_id = i.tenant_id
       AND r.row_id = i.id AND r.action = 'update'
)
INSERT INTO ops.repairs (tenant_id, run_id, check_name, table_name, row_id, action, changes, confidence, evidence)
SELECT c.tenant_id, :run_id, 'discovery_missing_links', 'discovery.raw_records', c.id,
       CASE WHEN i.master_flow_id IS NULL THEN 'quarantine' ELSE 'update' END,
       CASE WHEN i.master_flow_id IS NOT NULL
            THEN jsonb_strip_nulls(jsonb_build_object(
                     'master_flow_id', CASE WHEN num_nulls(c.master_flow_id) = 1 THEN i.master_flow_id END,
                     'data_import_id', CASE WHEN num_nulls(c.data_import_id) = 1 THEN i.id END)) END,
       CASE WHEN i.master_flow_id IS NULL THEN 0.50 ELSE i.confidence END,
       CASE WHEN i.master_flow_id IS NULL THEN 'nothing says which flow it belongs to'
            WHEN i.evidence IS NULL THEN 'its import names the flow, or its flow has this one import'
            ELSE 'its import gets this flow back: ' || i.evidence END
  FROM discovery.raw_records AS c
  LEFT JOIN imports AS i
    ON i.tenant_id = c.tenant_id
   AND i.project_id = c.project_id
   AND (i.id = c.data_import_id OR (num_nulls(c.data_import_id) = 1 AND i.master_flow_id = c.master_flow_id))
 WHERE num_nulls(c.master_flow_id, c.data_import_id) > 0
    ON CONFLICT (run_id, table_name, tenant_id, row_id, action, check_name) DO NOTHING
