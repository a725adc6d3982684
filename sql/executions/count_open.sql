-- name: executions.count_open :value
-- How many executions executions.list_open has in all.
-- param: project_id uuid
-- param: status text            pending, running or needs_input
-- param: agent_type text?       only this agent
-- param: since timestamptz?     only what was created then or later
-- budget: 100 buffers
SELECT count(*)
  FROM workspace.agent_executions AS e
 WHERE e.tenant_id = :tenant_id
   AND e.project_id = :project_id
   AND e.status = :status
   AND e.status IN ('pending', 'running', 'needs_input')
   AND CASE WHEN :agent_type::text IS NULL THEN true ELSE e.agent_type = :agent_type END
   AND e.created_at >= greatest(:since::timestamptz, '-infinity')
   AND EXISTS (SELECT FROM workspace.projects AS p
                WHERE p.tenant_id = :tenant_id
                  AND p.id = :project_id
                  AND p.deleted_at IS NULL)
