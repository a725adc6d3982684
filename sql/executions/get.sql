-- name: executions.get :one
-- One execution of a live project.
-- param: project_id uuid
-- param: execution_id uuid
-- null: output, error_message, requested_by, started_at, heartbeat_at, completed_at, duration_ms
-- etag: version
-- budget: 50 buffers
SELECT e.id, e.project_id, e.agent_type, e.correlation_id, e.status, e.input, e.output, e.error_message,
       e.progress, e.requested_by, e.started_at, e.heartbeat_at, e.completed_at, e.duration_ms,
       e.version, e.created_at, e.updated_at
  FROM workspace.agent_executions AS e
 WHERE e.tenant_id = :tenant_id
   AND e.project_id = :project_id
   AND e.id = :execution_id
   AND EXISTS (SELECT FROM workspace.projects AS p
                WHERE p.tenant_id = :tenant_id
                  AND p.id = :project_id
                  AND p.deleted_at IS NULL)
