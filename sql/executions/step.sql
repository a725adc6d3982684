-- name: executions.step :one
-- Takes an execution of a live project to another status, with what is given besides. The state
-- machine is a trigger: a step that it does not have, also to the same status, is refused.
-- param: project_id uuid
-- param: execution_id uuid
-- param: expected_version bigint?   any version when absent
-- param: status text
-- param: output jsonb?
-- param: error_message text?
-- param: progress int?
-- null: output, error_message, requested_by, started_at, heartbeat_at, completed_at, duration_ms
-- etag: version
-- budget: 100 buffers
UPDATE workspace.agent_executions AS e
   SET status = :status,
       output = coalesce(:output::jsonb, e.output),
       error_message = coalesce(:error_message, e.error_message),
       progress = coalesce(:progress, e.progress)
 WHERE e.tenant_id = :tenant_id
   AND e.project_id = :project_id
   AND e.id = :execution_id
   AND CASE WHEN :expected_version::bigint IS NULL THEN true ELSE e.version = :expected_version END
   AND EXISTS (SELECT FROM workspace.projects AS p
                WHERE p.tenant_id = :tenant_id
                  AND p.id = :project_id
                  AND p.deleted_at IS NULL)
RETURNING e.id, e.project_id, e.agent_type, e.correlation_id, e.status, e.input, e.output, e.error_message,
          e.progress, e.requested_by, e.started_at, e.heartbeat_at, e.completed_at, e.duration_ms,
          e.version, e.created_at, e.updated_at
