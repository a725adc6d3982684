-- name: documents.revision :value
-- The revision of a live version, to tell a stale one from an absent one.
-- param: project_id uuid
-- param: document_id uuid
-- budget: 20 buffers
SELECT d.revision
  FROM workspace.document_versions AS d
 WHERE d.tenant_id = :tenant_id
   AND d.project_id = :project_id
   AND d.id = :document_id
   AND d.deleted_at IS NULL
   AND EXISTS (SELECT FROM workspace.projects AS p
                WHERE p.tenant_id = :tenant_id
                  AND p.id = :project_id
                  AND p.deleted_at IS NULL)
