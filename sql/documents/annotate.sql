-- name: documents.annotate :one
-- Changes metadata and scores of a version in place, never its content.
-- param: project_id uuid
-- param: document_id uuid
-- param: expected_revision bigint? any revision when absent (If-Match: *)
-- param: metadata jsonb?
-- param: readability_score float8?
-- param: grammar_score float8?
-- null: readability_score, grammar_score, created_by, based_on
-- etag: revision
-- budget: 50 buffers
UPDATE workspace.document_versions AS d
   SET metadata = coalesce(:metadata::jsonb, d.metadata),
       readability_score = coalesce(:readability_score::float8::numeric, d.readability_score),
       grammar_score = coalesce(:grammar_score::float8::numeric, d.grammar_score)
 WHERE d.tenant_id = :tenant_id
   AND d.project_id = :project_id
   AND d.id = :document_id
   AND d.deleted_at IS NULL
   AND (:expected_revision::bigint IS NULL OR d.revision = :expected_revision)
   AND EXISTS (SELECT FROM workspace.projects AS p
                WHERE p.tenant_id = :tenant_id
                  AND p.id = :project_id
                  AND p.deleted_at IS NULL)
RETURNING d.id, d.project_id, d.document_type, d.version, d.revision,
          encode(d.content_sha256, 'hex') AS content_sha256, octet_length(d.content) AS bytes,
          d.content, d.metadata, d.readability_score, d.grammar_score, d.created_by, d.based_on,
          d.created_at, d.updated_at
