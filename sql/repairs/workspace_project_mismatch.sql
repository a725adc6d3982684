-- name: repairs.workspace_project_mismatch :affected
-- Plans what becomes of the rows that integrity.workspace_project_mismatch finds.
-- param: run_id uuid
-- allow: tenant_predicate an operator looks at all tenants
-- allow: tenant_insert the row's own tenant
-- allow: seq_scan a repair reads what it looks at
-- budget: 20 buffers
WITH planned AS (
    SELECT c.tenant_id, 'workspace.document_versions' AS table_name, c.id AS row_id, 'update' AS action, jsonb_build_object('based_on', NULL::text) AS changes,
           0.80 AS confidence, 'based_on names a row of another project: a link that must not be' AS evidence
      FROM workspace.document_versions AS c
      JOIN workspace.document_versions AS p ON p.tenant_id = c.tenant_id AND p.id = c.based_on
     WHERE p.project_id <> c.project_id
)
INSERT INTO ops.repairs (tenant_id, run_id, check_name, table_name, row_id, action, changes, confidence, evidence)
SELECT p.tenant_id, :run_id, 'workspace_project_mismatch', p.table_name, p.row_id, p.action, p.changes, p.confidence, p.evidence
  FROM planned AS p
    ON CONFLICT (run_id, table_name, tenant_id, row_id, action, check_name) DO NOTHING
