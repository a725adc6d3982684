-- name: repairs.workspace_dangling_links :affected
-- Plans what becomes of the rows that integrity.workspace_dangling_links finds.
-- param: run_id uuid
-- allow: tenant_predicate an operator looks at all tenants
-- allow: tenant_insert the row's own tenant
-- allow: seq_scan a repair reads what it looks at
-- budget: 500000 buffers
WITH planned AS (
    SELECT c.tenant_id, 'workspace.projects' AS table_name, c.id AS row_id, 'update' AS action, jsonb_build_object('created_by', NULL::text) AS changes,
           1.00 AS confidence, 'the row that created_by named is gone: the delete rule would have left NULL' AS evidence
      FROM workspace.projects AS c
     WHERE num_nulls(c.created_by) <> 1
       AND NOT EXISTS (SELECT FROM workspace.users AS p WHERE p.id = c.created_by)
     UNION ALL
    SELECT c.tenant_id, 'workspace.project_members' AS table_name, c.id AS row_id, 'quarantine' AS action, NULL::jsonb AS changes,
           1.00 AS confidence, 'the row that project_id names is gone, and whoever removed it removes this one too' AS evidence
      FROM workspace.project_members AS c
     WHERE num_nulls(c.project_id) <> 1
       AND NOT EXISTS (SELECT FROM workspace.projects AS p WHERE p.id = c.project_id)
     UNION ALL
    SELECT c.tenant_id, 'workspace.project_members' AS table_name, c.id AS row_id, 'quarantine' AS action, NULL::jsonb AS changes,
           1.00 AS confidence, 'the row that user_id names is gone, and whoever removed it removes this one too' AS evidence
      FROM workspace.project_members AS c
     WHERE num_nulls(c.user_id) <> 1
       AND NOT EXISTS (SELECT FROM workspace.users AS p WHERE p.id = c.user_id)
     UNION ALL
    SELECT c.tenant_id, 'workspace.document_versions' AS table_name, c.id AS row_id, 'quarantine' AS action, NULL::jsonb AS changes,
           1.00 AS confidence, 'the row that project_id names is gone, and whoever removed it removes this one too' AS evidence
      FROM workspace.document_versions AS c
     WHERE num_nulls(c.project_id) <> 1
       AND NOT EXISTS (SELECT FROM workspace.projects AS p WHERE p.id = c.project_id)
     UNION ALL
    SELECT c.tenant_id, 'workspace.document_versions' AS table_name, c.id AS row_id, 'update' AS action, jsonb_build_object('created_by', NULL::text) AS changes,
           1.00 AS confidence, 'the row that created_by named is gone: the delete rule would have left NULL' AS evidence
      FROM workspace.document_versions AS c
     WHERE num_nulls(c.created_by) <> 1
       AND NOT EXISTS (SELECT FROM workspace.users AS p WHERE p.id = c.created_by)
     UNION ALL
    SELECT c.tenant_id, 'workspace.document_versions' AS table_name, c.id AS row_id, 'update' AS action, jsonb_build_object('based_on', NULL::text) AS changes,
           1.00 AS confidence, 'the row that based_on named is gone: the delete rule would have left NULL' AS evidence
      FROM workspace.document_versions AS c
     WHERE num_nulls(c.based_on) <> 1
       AND NOT EXISTS (SELECT FROM workspace.document_versions AS p WHERE p.id = c.based_on)
     UNION ALL
    SELECT c.tenant_id, 'workspace.agent_executions' AS table_name, c.id AS row_id, 'quarantine' AS action, NULL::jsonb AS changes,
           1.00 AS confidence, 'the row that project_id names is gone, and whoever removed it removes this one too' AS evidence
      FROM workspace.agent_executions AS c
     WHERE num_nulls(c.project_id) <> 1
       AND NOT EXISTS (SELECT FROM workspace.projects AS p WHERE p.id = c.project_id)
     UNION ALL
    SELECT c.tenant_id, 'workspace.agent_executions' AS table_name, c.id AS row_id, 'update' AS action, jsonb_build_object('requested_by', NULL::text) AS changes,
           1.00 AS confidence, 'the row that requested_by named is gone: the delete rule would have left NULL' AS evidence
      FROM workspace.agent_executions AS c
     WHERE num_nulls(c.requested_by) <> 1
       AND NOT EXISTS (SELECT FROM workspace.users AS p WHERE p.id = c.requested_by)
     UNION ALL
    SELECT c.tenant_id, 'workspace.exports' AS table_name, c.id AS row_id, 'quarantine' AS action, NULL::jsonb AS changes,
           1.00 AS confidence, 'the row that project_id names is gone, and whoever removed it removes this one too' AS evidence
      FROM workspace.exports AS c
     WHERE num_nulls(c.project_id) <> 1
       AND NOT EXISTS (SELECT FROM workspace.projects AS p WHERE p.id = c.project_id)
     UNION ALL
    SELECT c.tenant_id, 'workspace.exports' AS table_name, c.id AS row_id, 'update' AS action, jsonb_build_object('created_by', NULL::text) AS changes,
           1.00 AS confidence, 'the row that created_by named is gone: the delete rule would have left NULL' AS evidence
      FROM workspace.exports AS c
     WHERE num_nulls(c.created_by) <> 1
       AND NOT EXISTS (SELECT FROM workspace.users AS p WHERE p.id = c.created_by)
)
INSERT INTO ops.repairs (tenant_id, run_id, check_name, table_name, row_id, action, changes, confidence, evidence)
SELECT p.tenant_id, :run_id, 'workspace_dangling_links', p.table_name, p.row_id, p.action, p.changes, p.confidence, p.evidence
  FROM planned AS p
    ON CONFLICT (run_id, table_name, tenant_id, row_id, action, check_name) DO NOTHING
