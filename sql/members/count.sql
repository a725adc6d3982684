-- name: members.count :value
-- How many members members.list has in all.
-- param: project_id uuid
-- budget: 200 buffers
SELECT count(*)
  FROM workspace.project_members AS m
 WHERE m.tenant_id = :tenant_id
   AND m.project_id = :project_id
   AND EXISTS (SELECT FROM workspace.projects AS p
                WHERE p.tenant_id = :tenant_id
                  AND p.id = :project_id
                  AND p.deleted_at IS NULL)
