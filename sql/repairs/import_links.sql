-- name: repairs.import_links :affected
-- Imports that have lost their master flow: found again by what still names both, or by the transaction.
-- param: run_id uuid
-- allow: tenant_predicate an operator looks at all tenants
-- allow: tenant_insert the row's own tenant
WITH lost AS (
    SELECT i.tenant_id, i.project_id, i.id, i.created_at
      FROM discovery.data_imports AS i
     WHERE num_nulls(i.master_flow_id) = 1
), named AS (
    SELECT l.tenant_id, l.project_id, l.id, d.master_flow_id, 0.95 AS confidence, 'its discovery flow still names both' AS evidence
      FROM lost AS l
      JOIN discovery.discovery_flows AS d ON d.tenant_id = l.tenant_id AND d.project_id = l.project_id AND d.data_import_id = l.id
     UNION ALL
    SELECT DISTINCT l.tenant_id, l.project_id, l.id, r.master_flow_id, 0.90, 'its rows still name the flow'
      FROM lost AS l
      JOIN discovery.raw_records AS r ON r.tenant_id = l.tenant_id AND r.project_id = l.project_id AND r.data_import_id = l.id
     UNION ALL
    SELECT l.tenant_id, l.project_id, l.id, f.id, 0.80, 'made in the same transaction: created_at is the same to the microsecond'
      FROM lost AS l
      JOIN discovery.master_flows AS f ON f.tenant_id = l.tenant_id AND f.project_id = l.project_id AND f.created_at = l.created_at
), possible AS (
    SELECT n.tenant_id, n.id, n.master_flow_id, max(n.confidence) AS confidence,
           string_agg(n.evidence, '; ' ORDER BY n.confidence DESC) AS evidence
      FROM named AS n
      JOIN discovery.master_flows AS f ON f.tenant_id = n.tenant_id AND f.project_id = n.project_id AND f.id = n.master_flow_id
     WHERE NOT EXISTS (SELECT FROM discovery.data_imports AS o
                        WHERE o.tenant_id = n.tenant_id AND o.project_id = n.project_id AND o.master_flow_id = n.master_flow_id)
     GROUP BY n.tenant_id, n.id, n.master_flow_id
), judged AS (
    SELECT l.tenant_id, l.id, count(p.id) AS flows, min(p.master_flow_id::text) AS master_flow_id,
           max(p.confidence) AS confidence, min(p.evidence) AS evidence,
           count(*) OVER (PARTITION BY l.tenant_id, min(p.master_flow_id::text)) AS rivals
      FROM lost AS l
      LEFT JOIN possible AS p ON p.tenant_id = l.tenant_id AND p.id = l.id
     GROUP BY l.tenant_id, l.id
)
INSERT INTO ops.repairs (tenant_id, run_id, check_name, table_name, row_id, action, changes, confidence, evidence)
SELECT j.tenant_id, :run_id, 'discovery_missing_links', 'discovery.data_imports', j.id,
       CASE WHEN j.flows = 1 AND j.rivals = 1 THEN 'update' ELSE 'quarantine' END,
       CASE WHEN j.flows = 1 AND j.rivals = 1 THEN jsonb_build_object('master_flow_id', j.master_flow_id) END,
       CASE WHEN j.flows = 1 AND j.rivals = 1 THEN j.confidence ELSE 0.50 END,
       CASE WHEN j.flows = 1 AND j.rivals = 1 THEN j.evidence
            WHEN j.flows = 0 THEN 'nothing says which flow it belongs to'
            WHEN j.flows = 1 THEN 'another import claims the same flow'
            ELSE 'several flows could be its own' END
  FROM judged AS j
