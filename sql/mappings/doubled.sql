-- name: mappings.doubled :many
-- Fields that several approved columns of an import would become.
-- param: project_id uuid
-- param: import_id uuid
-- budget: 20 buffers
SELECT m.target_field, array_agg(m.source_field ORDER BY m.position) AS source_fields
  FROM discovery.field_mappings AS m
 WHERE m.tenant_id = :tenant_id
   AND m.project_id = :project_id
   AND m.data_import_id = :import_id
   AND m.status = 'approved'
   AND m.target_field <> 'custom'
 GROUP BY m.target_field
HAVING count(*) > 1
