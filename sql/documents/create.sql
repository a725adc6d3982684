-- name: documents.create :one
-- The next version of a document type in a live project; no row when there is no such project, or
-- created_by is no live user.
-- The number, the hash and the search vector are made by a trigger; the counter's row lock hands
-- the numbers out one by one.
-- param: project_id uuid
-- param: document_type text
-- param: content text
-- param: metadata jsonb?          {} when absent
-- param: readability_score float8?
-- param: grammar_score float8?
-- param: created_by uuid?
-- null: readability_score, grammar_score, created_by, based_on
-- etag: revision
-- budget: 100 buffers
INSERT INTO workspace.document_versions AS d (
       tenant_id, project_id, document_type, content, metadata, readability_score, grammar_score, created_by)
SELECT :tenant_id, p.id, :document_type, :content, coalesce(:metadata::jsonb, '{}'),
       :readability_score::float8, :grammar_score::float8, :created_by
  FROM workspace.projects AS p
 WHERE p.tenant_id = :tenant_id
   AND p.id = :project_id
   AND p.deleted_at IS NULL
   AND (:created_by::uuid IS NULL
        OR EXISTS (SELECT FROM workspace.users AS u
                    WHERE u.tenant_id = :tenant_id
                      AND u.id = :created_by
                      AND u.deleted_at IS NULL))
RETURNING d.id, d.project_id, d.document_type, d.version, d.revision,
          encode(d.content_sha256, 'hex') AS content_sha256, octet_length(d.content) AS bytes,
          d.content, d.metadata, d.readability_score, d.grammar_score, d.created_by, d.based_on,
          d.created_at, d.updated_at
