-- name: cases.current :value
-- The number of a case's last version; no row when there is no such case in a live project.
-- param: project_id uuid
-- param: case_id text
-- budget: 50 buffers
SELECT c.current_version
  FROM cases.cases AS c
 WHERE c.tenant_id = :tenant_id
   AND c.project_id = :project_id
   AND c.case_id = :case_id
   AND EXISTS (SELECT FROM workspace.projects AS w
                WHERE w.tenant_id = :tenant_id AND w.id = :project_id AND w.deleted_at IS NULL)
