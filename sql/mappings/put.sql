-- name: mappings.put :affected
-- Decides on columns of an import. A target that differs from the suggested one is somebody's own.
-- param: project_id uuid
-- param: import_id uuid
-- param: mappings jsonb          an array of {position, source_field, target_field, status, transformation}
-- param: decided_by uuid?
-- budget: 20 buffers
INSERT INTO discovery.field_mappings AS m (
    tenant_id, project_id, data_import_id, position, source_field, target_field, match_type, confidence, reason, status,
    transformation, decided_by, decided_at)
SELECT :tenant_id, :project_id, :import_id, s.position, s.source_field, s.target_field, 'manual', 1, 'chosen by hand', s.status,
       s.transformation, CASE WHEN s.status <> 'suggested' THEN :decided_by::uuid END,
       CASE WHEN s.status <> 'suggested' THEN now() END
  FROM jsonb_to_recordset(:mappings::jsonb) AS s (
       position int, source_field text, target_field text, status text, transformation text)
 ORDER BY s.position
    ON CONFLICT (tenant_id, project_id, data_import_id, source_field) DO UPDATE
   SET target_field = excluded.target_field,
       match_type = CASE WHEN m.target_field = excluded.target_field THEN m.match_type ELSE 'manual' END,
       confidence = CASE WHEN m.target_field = excluded.target_field THEN m.confidence ELSE 1 END,
       reason = CASE WHEN m.target_field = excluded.target_field THEN m.reason ELSE 'chosen by hand' END,
       status = excluded.status, transformation = coalesce(excluded.transformation, m.transformation),
       decided_by = excluded.decided_by, decided_at = excluded.decided_at
