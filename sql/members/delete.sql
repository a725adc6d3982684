-- name: members.delete :affected
-- Takes a member out of a live project; the last owner stays (project_members_keep_owner).
-- param: project_id uuid
-- param: user_id uuid
-- budget: 50 buffers
DELETE FROM workspace.project_members AS m
 WHERE m.tenant_id = :tenant_id
   AND m.project_id = :project_id
   AND m.user_id = :user_id
   AND EXISTS (SELECT FROM workspace.projects AS p
                WHERE p.tenant_id = :tenant_id
                  AND p.id = :project_id
                  AND p.deleted_at IS NULL)
