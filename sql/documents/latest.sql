-- name: documents.latest :one
-- The highest live version of a document type.
-- param: project_id uuid
-- param: document_type text
-- null: readability_score, grammar_score, created_by, based_on
-- etag: revision
-- plan: index
-- budget: 20 buffers
SELECT d.id, d.project_id, d.document_type, d.version, d.revision,
       encode(d.content_sha256, 'hex') AS content_sha256, octet_length(d.content) AS bytes,
       d.content, d.metadata, d.readability_score, d.grammar_score, d.created_by, d.based_on,
       d.created_at, d.updated_at
  FROM workspace.document_versions AS d
 WHERE d.tenant_id = :tenant_id
   AND d.project_id = :project_id
   AND d.document_type = :document_type
   AND d.deleted_at IS NULL
   AND EXISTS (SELECT FROM workspace.projects AS p
                WHERE p.tenant_id = :tenant_id
                  AND p.id = :project_id
                  AND p.deleted_at IS NULL)
 ORDER BY d.version DESC
 LIMIT 1
