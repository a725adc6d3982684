-- name: members.put :one
-- Makes a live user a member of a live project, or changes the role. No row: no such project.
-- An absent user is a row without a live user, which the foreign key cannot see: see members.user.
-- param: project_id uuid
-- param: user_id uuid
-- param: role text
-- budget: 100 buffers
INSERT INTO workspace.project_members AS m (tenant_id, project_id, user_id, role)
SELECT :tenant_id, p.id, u.id, :role
  FROM workspace.projects AS p
  JOIN workspace.users AS u ON u.tenant_id = p.tenant_id AND u.id = :user_id AND u.deleted_at IS NULL
 WHERE p.tenant_id = :tenant_id
   AND p.id = :project_id
   AND p.deleted_at IS NULL
    ON CONFLICT (tenant_id, project_id, user_id) DO UPDATE SET role = excluded.role
RETURNING m.project_id, m.user_id, m.role, m.created_at, m.updated_at
