-- name: members.list :page
-- The members of a live project, by user id.
-- param: project_id uuid
-- param: after_user_id uuid?
-- param: limit int?
-- cursor: user_id
-- plan: index
-- budget: 20 buffers
SELECT m.project_id, m.user_id, m.role, m.created_at, m.updated_at
  FROM workspace.project_members AS m
 WHERE m.tenant_id = :tenant_id
   AND m.project_id = :project_id
   AND EXISTS (SELECT FROM workspace.projects AS p
                WHERE p.tenant_id = :tenant_id
                  AND p.id = :project_id
                  AND p.deleted_at IS NULL)
   AND m.user_id > greatest(:after_user_id::uuid, '00000000-0000-0000-0000-000000000000')
 ORDER BY m.user_id
 LIMIT :limit
