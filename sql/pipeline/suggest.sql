-- name: pipeline.suggest :affected
-- Suggestions for columns that have none yet; what was decided stays.
-- param: import_id uuid
-- param: project_id uuid
-- param: suggestions jsonb       an array of {position, source_field, target_field, match_type, confidence, reason, transformation}
INSERT INTO discovery.field_mappings AS m (
    tenant_id, project_id, data_import_id, position, source_field, target_field, match_type, confidence, reason, transformation)
SELECT :tenant_id, :project_id, :import_id, s.position, s.source_field, s.target_field, s.match_type, s.confidence,
       s.reason, s.transformation
  FROM jsonb_to_recordset(:suggestions::jsonb) AS s (
       position int, source_field text, target_field text, match_type text, confidence numeric, reason text,
       transformation text)
    ON CONFLICT (tenant_id, project_id, data_import_id, source_field) DO NOTHING
