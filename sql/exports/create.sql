-- name: exports.create :one
-- A new export of a live project, and the job that builds it, which has the same id.
-- param: project_id uuid
-- param: format text             zip, ndjson
-- param: document_types text[]?  only these; all when absent
-- param: versions text?          latest, all; latest when absent
-- param: created_by uuid?
-- null: document_types, file_name, file_size, file_sha256, error_message, expires_at, completed_at, created_by
-- budget: 50 buffers
WITH made AS (
    SELECT uuidv7() AS id, p.id AS project_id
      FROM workspace.projects AS p
     WHERE p.tenant_id = :tenant_id
       AND p.id = :project_id
       AND p.deleted_at IS NULL
), job AS (
    INSERT INTO ops.jobs (tenant_id, id, kind)
    SELECT :tenant_id, m.id, 'export'
      FROM made AS m
)
INSERT INTO workspace.exports AS e (tenant_id, id, project_id, format, document_types, versions, created_by)
SELECT :tenant_id, m.id, m.project_id, :format, :document_types, coalesce(:versions, 'latest'), :created_by
  FROM made AS m
RETURNING e.id, e.project_id, e.format, e.document_types, e.versions, e.status, 0 AS progress,
          e.manifest, e.file_name, e.file_size, encode(e.file_sha256, 'hex') AS file_sha256,
          e.error_message, e.expires_at, e.completed_at, e.download_count, e.created_by,
          e.created_at, e.updated_at
