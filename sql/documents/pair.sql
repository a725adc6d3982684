-- name: documents.pair :many
-- A version and the one it is compared with, for a diff: `against`, or else the live version of
-- the same type before it. The older-looking side comes first.
-- param: project_id uuid
-- param: document_id uuid
-- param: against uuid?
-- budget: 500 buffers
WITH target AS (
    SELECT d.id, d.document_type, d.version, d.content
      FROM workspace.document_versions AS d
     WHERE d.tenant_id = :tenant_id
       AND d.project_id = :project_id
       AND d.id = :document_id
       AND d.deleted_at IS NULL
       AND EXISTS (SELECT FROM workspace.projects AS p
                WHERE p.tenant_id = :tenant_id
                  AND p.id = :project_id
                  AND p.deleted_at IS NULL)
), other AS (
    SELECT d.id, d.document_type, d.version, d.content
      FROM workspace.document_versions AS d
      JOIN target AS t ON t.document_type = d.document_type
     WHERE d.tenant_id = :tenant_id
       AND d.project_id = :project_id
       AND d.deleted_at IS NULL
       AND CASE WHEN :against::uuid IS NULL THEN d.version < t.version ELSE d.id = :against END
     ORDER BY d.version DESC
     LIMIT 1
)
SELECT o.id, o.version, o.content, false AS is_target
  FROM other AS o
 UNION ALL
SELECT t.id, t.version, t.content, true AS is_target
  FROM target AS t
