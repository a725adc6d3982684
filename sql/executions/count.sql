-- name: executions.count :value
-- How many executions executions.list has in all.
-- param: project_id uuid
-- param: agent_type text?       only this agent
-- param: status text?           only this status
-- param: since timestamptz?     only what was created then or later
-- budget: 500 buffers
SELECT count(*)
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
