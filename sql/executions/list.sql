-- name: executions.list :page
-- The executions of a live project, newest first.
-- param: project_id uuid
-- param: agent_type text?       only this agent
-- param: status text?           only this status
-- param: since timestamptz?     only what was created then or later
-- param: after_created_at timestamptz?
-- param: after_id uuid?
-- param: limit int?
-- cursor: created_at desc, id desc
-- null: output, error_message, requested_by, started_at, heartbeat_at, completed_at, duration_ms
-- plan: index
-- budget: 20 buffers
SELECT e.id, e.project_id, e.agent_type, e.correlation_id, e.status, e.input, e.output, e.error_message,
       e.progress, e.requested_by, e.started_at, e.heartbeat_at, e.completed_at, e.duration_ms,
       e.version, e.created_at, e.updated_at
  FROM workspace.agent_executions AS e
 WHERE e.tenant_id = :tenant_id
   AND e.project_id = :project_id
   AND CASE WHEN :agent_type::text IS NULL THEN true ELSE e.agent_type = :agent_type END
   AND CASE WHEN :status::text IS NULL THEN true ELSE e.status = :status END
   AND e.created_at >= greatest(:since::timestamptz, '-infinity')
   AND EXISTS (SELECT FROM workspace.projects AS p
                WHERE p.tenant_id = :tenant_id
                  AND p.id = :project_id
                  AND p.deleted_at IS NULL)
   AND (e.created_at, e.id) < (least(:after_created_at::timestamptz, 'infinity'),
                               least(:after_id::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
 ORDER BY e.created_at DESC, e.id DESC
 LIMIT :limit
