-- name: mappings.list :many
-- The mappings of an import of a live project, in the order of its columns.
-- param: project_id uuid
-- param: import_id uuid
-- null: reason, transformation, decided_by, decided_at
-- budget: 20 buffers
SELECT m.source_field, m.target_field, m.match_type, m.confidence, m.reason, m.status, m.transformation, m.decided_by, m.decided_at
  FROM discovery.field_mappings AS m
 WHERE m.tenant_id = :tenant_id
   AND m.project_id = :project_id
   AND m.data_import_id = :import_id
   AND EXISTS (SELECT FROM workspace.projects AS p
                WHERE p.tenant_id = :tenant_id
                  AND p.id = :project_id
                  AND p.deleted_at IS NULL)
 ORDER BY m.position, m.source_field
