-- name: documents.count :value
-- How many versions documents.list has in all.
-- param: project_id uuid
-- param: document_type text?      only this type
-- param: latest_only boolean      only the highest live version of each type
-- budget: 500 buffers
SELECT count(*)
  FROM workspace.document_versions AS d
 WHERE d.tenant_id = :tenant_id
   AND d.project_id = :project_id
   AND d.deleted_at IS NULL
   AND CASE WHEN :document_type::text IS NULL THEN true ELSE d.document_type = :document_type END
   AND (NOT :latest_only::boolean
        OR NOT EXISTS (SELECT FROM workspace.document_versions AS n
                        WHERE n.tenant_id = :tenant_id
                          AND n.project_id = :project_id
                          AND n.document_type = d.document_type
                          AND n.version > d.version
                          AND n.deleted_at IS NULL))
   AND EXISTS (SELECT FROM workspace.projects AS p
                WHERE p.tenant_id = :tenant_id
                  AND p.id = :project_id
                  AND p.deleted_at IS NULL)
