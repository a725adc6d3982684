-- name: documents.delete :affected
-- Deletes a version softly; its number stays taken.
-- param: project_id uuid
-- param: document_id uuid
-- param: expected_revision bigint? any revision when absent (If-Match: *)
-- budget: 50 buffers
UPDATE workspace.document_versions AS d
   SET deleted_at = clock_timestamp()
 WHERE d.tenant_id = :tenant_id
   AND d.project_id = :project_id
   AND d.id = :document_id
   AND d.deleted_at IS NULL
   AND (:expected_revision::bigint IS NULL OR d.revision = :expected_revision)
   AND EXISTS (SELECT FROM workspace.projects AS p
                WHERE p.tenant_id = :tenant_id
                  AND p.id = :project_id
                  AND p.deleted_at IS NULL)
