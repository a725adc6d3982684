-- name: exports.documents :stream
-- The document versions of an export, by type, newest version first.
-- param: project_id uuid
-- param: document_types text[]?   only these types
-- param: latest_only boolean      only the highest live version of each type
-- null: readability_score, grammar_score, created_by, based_on
-- plan: index
-- budget: 500 buffers
SELECT d.id, d.project_id, d.document_type, d.version, d.revision,
       encode(d.content_sha256, 'hex') AS content_sha256, octet_length(d.content) AS bytes,
       d.content, d.metadata, d.readability_score, d.grammar_score, d.created_by, d.based_on,
       d.created_at, d.updated_at
  FROM workspace.document_versions AS d
 WHERE d.tenant_id = :tenant_id
   AND d.project_id = :project_id
   AND d.deleted_at IS NULL
   AND CASE WHEN :document_types::text[] IS NULL THEN true ELSE d.document_type = ANY (:document_types) END
   AND (NOT :latest_only::boolean
        OR NOT EXISTS (SELECT FROM workspace.document_versions AS n
                        WHERE n.tenant_id = :tenant_id
                          AND n.project_id = :project_id
                          AND n.document_type = d.document_type
                          AND n.version > d.version
                          AND n.deleted_at IS NULL))
 ORDER BY d.document_type, d.version DESC
