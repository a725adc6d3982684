-- name: executions.state :one
-- Version and status of an execution of a live project: to tell a stale version from an absent
-- execution, and where its events have come to.
-- param: project_id uuid
-- param: execution_id uuid
-- budget: 50 buffers
SELECT e.version, e.status, cardinality(workspace.execution_steps(e.status)) = 0 AS is_final
  FROM workspace.agent_executions AS e
 WHERE e.tenant_id = :tenant_id
   AND e.project_id = :project_id
   AND e.id = :execution_id
   AND EXISTS (SELECT FROM workspace.projects AS p
                WHERE p.tenant_id = :tenant_id
                  AND p.id = :project_id
                  AND p.deleted_at IS NULL)
