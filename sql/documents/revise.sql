-- name: documents.revise :one
-- A new version made from the newest one; what is not given is carried over. No row: the version
-- is absent, changed since, or not the newest any more; or created_by is no live user.
-- param: project_id uuid
-- param: document_id uuid
-- param: expected_revision bigint? any revision when absent (If-Match: *)
-- param: content text?
-- param: metadata jsonb?
-- param: readability_score float8?
-- param: grammar_score float8?
-- param: created_by uuid?
-- null: readability_score, grammar_score, created_by, based_on
-- etag: revision
-- budget: 200 buffers
WITH base AS (
    -- locked, so that a change of metadata at this moment is either seen or waits
    SELECT d.id, d.project_id, d.document_type, d.content, d.metadata, d.readability_score,
           d.grammar_score, c.last_version
      FROM workspace.document_versions AS d
      JOIN workspace.document_counters AS c
        ON c.tenant_id = :tenant_id AND c.project_id = d.project_id AND c.document_type = d.document_type
     WHERE d.tenant_id = :tenant_id
       AND d.project_id = :project_id
       AND d.id = :document_id
       AND d.deleted_at IS NULL
       AND CASE WHEN :expected_revision::bigint IS NULL THEN true ELSE d.revision = :expected_revision END
       AND NOT EXISTS (SELECT FROM workspace.document_versions AS n
                        WHERE n.tenant_id = :tenant_id
                          AND n.project_id = d.project_id
                          AND n.document_type = d.document_type
                          AND n.version > d.version
                          AND n.deleted_at IS NULL)
       AND EXISTS (SELECT FROM workspace.projects AS p
                    WHERE p.tenant_id = :tenant_id
                      AND p.id = :project_id
                      AND p.deleted_at IS NULL)
       AND (:created_by::uuid IS NULL
            OR EXISTS (SELECT FROM workspace.users AS u
                        WHERE u.tenant_id = :tenant_id
                          AND u.id = :created_by
                          AND u.deleted_at IS NULL))
       FOR NO KEY UPDATE OF d
), numbered AS (
    -- of two that revise one version at once, the second finds the counter moved and gets no row
    UPDATE workspace.document_counters AS c
       SET last_version = c.last_version + 1
      FROM base AS b
     WHERE c.tenant_id = :tenant_id
       AND c.project_id = b.project_id
       AND c.document_type = b.document_type
       AND c.last_version = b.last_version
    RETURNING c.last_version
)
INSERT INTO workspace.document_versions AS d (
       tenant_id, project_id, document_type, version, content, metadata, readability_score,
       grammar_score, created_by, based_on)
SELECT :tenant_id, b.project_id, b.document_type, n.last_version, coalesce(:content, b.content),
       coalesce(:metadata::jsonb, b.metadata), coalesce(:readability_score::float8::numeric, b.readability_score),
       coalesce(:grammar_score::float8::numeric, b.grammar_score), :created_by, b.id
  FROM base AS b
 CROSS JOIN numbered AS n
RETURNING d.id, d.project_id, d.document_type, d.version, d.revision,
          encode(d.content_sha256, 'hex') AS content_sha256, octet_length(d.content) AS bytes,
          d.content, d.metadata, d.readability_score, d.grammar_score, d.created_by, d.based_on,
          d.created_at, d.updated_at
