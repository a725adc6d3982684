-- name: documents.restore :one
-- An older version becomes the newest again, as a new version.
-- param: project_id uuid
-- param: document_id uuid
-- param: created_by uuid?
-- null: readability_score, grammar_score, created_by, based_on
-- etag: revision
-- budget: 100 buffers
INSERT INTO workspace.document_versions AS d (
       tenant_id, project_id, document_type, content, metadata, readability_score, grammar_score,
       created_by, based_on)
SELECT :tenant_id, o.project_id, o.document_type, o.content, o.metadata, o.readability_score,
       o.grammar_score, :created_by, o.id
  FROM workspace.document_versions AS o
 WHERE o.tenant_id = :tenant_id
   AND o.project_id = :project_id
   AND o.id = :document_id
   AND o.deleted_at IS NULL
   AND EXISTS (SELECT FROM workspace.projects AS p
                WHERE p.tenant_id = :tenant_id
                  AND p.id = :project_id
                  AND p.deleted_at IS NULL)
RETURNING d.id, d.project_id, d.document_type, d.version, d.revision,
          encode(d.content_sha256, 'hex') AS content_sha256, octet_length(d.content) AS bytes,
          d.content, d.metadata, d.readability_score, d.grammar_score, d.created_by, d.based_on,
          d.created_at, d.updated_at
