-- name: members.role :value
-- What a user may do in a project, deleted or not; no row when not a member.
-- param: project_id uuid
-- param: user_id uuid
-- budget: 20 buffers
SELECT m.role
  FROM workspace.project_members AS m
 WHERE m.tenant_id = :tenant_id
   AND m.project_id = :project_id
   AND m.user_id = :user_id
