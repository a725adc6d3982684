-- name: documents.get :one
-- One live document version of a live project, with its content.
-- param: project_id uuid
-- param: document_id uuid
-- null: readability_score, grammar_score, created_by, based_on
-- etag: revision
-- budget: 20 buffers
SELECT d.id, d.project_id, d.document_type, d.version, d.revision,
       encode(d.content_sha256, 'hex') AS content_sha256, octet_length(d.content) AS bytes,
       d.content, d.metadata, d.readability_score, d.grammar_score, d.created_by, d.based_on,
       d.created_at, d.updated_at
  FROM workspace.document_versions AS d
 WHERE d.tenant_id = :tenant_id
   AND d.project_id = :project_id
   AND d.id = :document_id
   AND d.deleted_at IS NULL
   AND EXISTS (SELECT FROM workspace.projects AS p
                WHERE p.tenant_id = :tenant_id
                  AND p.id = :project_id
                  AND p.deleted_at IS NULL)
