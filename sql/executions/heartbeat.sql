-- name: executions.heartbeat :affected
-- A running execution of a live project is still alive. No change: no version, event or audit row.
-- param: project_id uuid
-- param: execution_id uuid
-- budget: 20 buffers
UPDATE workspace.agent_executions AS e
   SET heartbeat_at = clock_timestamp()
 WHERE e.tenant_id = :tenant_id
   AND e.project_id = :project_id
   AND e.id = :execution_id
   AND e.status = 'running'
   AND EXISTS (SELECT FROM workspace.projects AS p
                WHERE p.tenant_id = :tenant_id
                  AND p.id = :project_id
                  AND p.deleted_at IS NULL)
