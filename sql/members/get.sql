-- name: members.get :one
-- One member of a live project.
-- param: project_id uuid
-- param: user_id uuid
-- budget: 20 buffers
SELECT m.project_id, m.user_id, m.role, m.created_at, m.updated_at
  FROM workspace.project_members AS m
 WHERE m.tenant_id = :tenant_id
   AND m.project_id = :project_id
   AND m.user_id = :user_id
   AND EXISTS (SELECT FROM workspace.projects AS p
                WHERE p.tenant_id = :tenant_id
                  AND p.id = :project_id
                  AND p.deleted_at IS NULL)
