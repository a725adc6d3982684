-- name: repairs.workspace_tenant_mismatch :affected
-- Plans what becomes of the rows that integrity.workspace_tenant_mismatch finds.
-- param: run_id uuid
-- allow: tenant_predicate an operator looks at all tenants
-- allow: tenant_insert the row's own tenant
-- allow: seq_scan a repair reads what it looks at
-- budget: 200000 buffers
WITH planned AS (
    SELECT c.tenant_id, 'workspace.projects' AS table_name, c.id AS row_id, 'update' AS action, jsonb_build_object('created_by', NULL::text) AS changes,
           0.80 AS confidence, 'created_by names a row of another tenant: a link that must not be' AS evidence
      FROM workspace.projects AS c
      JOIN workspace.users AS p ON p.id = c.created_by
     WHERE p.tenant_id <> c.tenant_id
     UNION ALL
    SELECT c.tenant_id, 'workspace.project_members' AS table_name, c.id AS row_id, 'quarantine' AS action, NULL::jsonb AS changes,
           0.50 AS confidence, 'project_id names a row of another tenant: nobody can tell whose it is' AS evidence
      FROM workspace.project_members AS c
      JOIN workspace.projects AS p ON p.id = c.project_id
     WHERE p.tenant_id <> c.tenant_id
     UNION ALL
    SELECT c.tenant_id, 'workspace.project_members' AS table_name, c.id AS row_id, 'quarantine' AS action, NULL::jsonb AS changes,
           0.50 AS confidence, 'user_id names a row of another tenant: nobody can tell whose it is' AS evidence
      FROM workspace.project_members AS c
      JOIN workspace.users AS p ON p.id = c.user_id
     WHERE p.tenant_id <> c.tenant_id
     UNION ALL
    SELECT c.tenant_id, 'workspace.document_versions' AS table_name, c.id AS row_id, 'quarantine' AS action, NULL::jsonb AS changes,
           0.50 AS confidence, 'project_id names a row of another tenant: nobody can tell whose it is' AS evidence
      FROM workspace.document_versions AS c
      JOIN workspace.projects AS p ON p.id = c.project_id
     WHERE p.tenant_id <> c.tenant_id
     UNION ALL
    SELECT c.tenant_id, 'workspace.document_versions' AS table_name, c.id AS row_id, 'update' AS action, jsonb_build_object('created_by', NULL::text) AS changes,
           0.80 AS confidence, 'created_by names a row of another tenant: a link that must not be' AS evidence
      FROM workspace.document_versions AS c
      JOIN workspace.users AS p ON p.id = c.created_by
     WHERE p.tenant_id <> c.tenant_id
     UNION ALL
    SELECT c.tenant_id, 'workspace.document_versions' AS table_name, c.id AS row_id, 'update' AS action, jsonb_build_object('based_on', NULL::text) AS changes,
           0.80 AS confidence, 'based_on names a row of another tenant: a link that must not be' AS evidence
      FROM workspace.document_versions AS c
      JOIN workspace.document_versions AS p ON p.id = c.based_on
     WHERE p.tenant_id <> c.tenant_id
     UNION ALL
    SELECT c.tenant_id, 'workspace.agent_executions' AS table_name, c.id AS row_id, 'quarantine' AS action, NULL::jsonb AS changes,
           0.50 AS confidence, 'project_id names a row of another tenant: nobody can tell whose it is' AS evidence
      FROM workspace.agent_executions AS c
      JOIN workspace.projects AS p ON p.id = c.project_id
     WHERE p.tenant_id <> c.tenant_id
     UNION ALL
    SELECT c.tenant_id, 'workspace.agent_executions' AS table_name, c.id AS row_id, 'update' AS action, jsonb_build_object('requested_by', NULL::text) AS changes,
           0.80 AS confidence, 'requested_by names a row of another tenant: a link that must not be' AS evidence
      FROM workspace.agent_executions AS c
      JOIN workspace.users AS p ON p.id = c.requested_by
     WHERE p.tenant_id <> c.tenant_id
     UNION ALL
    SELECT c.tenant_id, 'workspace.exports' AS table_name, c.id AS row_id, 'quarantine' AS action, NULL::jsonb AS changes,
           0.50 AS confidence, 'project_id names a row of another tenant: nobody can tell whose it is' AS evidence
      FROM workspace.exports AS c
      JOIN workspace.projects AS p ON p.id = c.project_id
     WHERE p.tenant_id <> c.tenant_id
     UNION ALL
    SELECT c.tenant_id, 'workspace.exports' AS table_name, c.id AS row_id, 'update' AS action, jsonb_build_object('created_by', NULL::text) AS changes,
           0.80 AS confidence, 'created_by names a row of another tenant: a link that must not be' AS evidence
      FROM workspace.exports AS c
      JOIN workspace.users AS p ON p.id = c.created_by
     WHERE p.tenant_id <> c.tenant_id
)
INSERT INTO ops.repairs (tenant_id, run_id, check_name, table_name, row_id, action, changes, confidence, evidence)
SELECT p.tenant_id, :run_id, 'workspace_tenant_mismatch', p.table_name, p.row_id, p.action, p.changes, p.confidence, p.evidence
  FROM planned AS p
    ON CONFLICT (run_id, table_name, tenant_id, row_id, action, check_name) DO NOTHING
