-- name: executions.create :one
-- A new execution in a live project, pending; no row when there is no such project.
-- param: project_id uuid
-- param: agent_type text
-- param: correlation_id text
-- param: input jsonb?         {} when absent
-- param: requested_by uuid?
-- null: output, error_message, requested_by, started_at, heartbeat_at, completed_at, duration_ms
-- etag: version
-- budget: 50 buffers
INSERT INTO workspace.agent_executions AS e (tenant_id, project_id, agent_type, correlation_id, input, requested_by)
SELECT :tenant_id, p.id, :agent_type, :correlation_id, coalesce(:input::jsonb, '{}'), :requested_by
  FROM workspace.projects AS p
 WHERE p.tenant_id = :tenant_id
   AND p.id = :project_id
   AND p.deleted_at IS NULL
RETURNING e.id, e.project_id, e.agent_type, e.correlation_id, e.status, e.input, e.output, e.error_message,
          e.progress, e.requested_by, e.started_at, e.heartbeat_at, e.completed_at, e.duration_ms,
          e.version, e.created_at, e.updated_at
