-- name: imports.profile :one
-- What validation found in the columns of an import in a live project; columns is empty before.
-- param: project_id uuid
-- param: import_id uuid
-- plan: index
-- budget: 20 buffers
SELECT i.id, i.status, i.total_rows, coalesce(i.profile -> 'columns', '[]') AS columns,
       coalesce(i.profile -> 'findings', '{}') AS findings
  FROM discovery.data_imports AS i
 WHERE i.tenant_id = :tenant_id
   AND i.project_id = :project_id
   AND i.id = :import_id
   AND EXISTS (SELECT FROM workspace.projects AS p
                WHERE p.tenant_id = :tenant_id
                  AND p.id = :project_id
                  AND p.deleted_at IS NULL)
