-- name: pipeline.gate :one
-- How many columns of an import there are, and how many have an approved mapping.
-- param: import_id uuid
-- param: project_id uuid
SELECT count(*)::int AS columns, (count(*) FILTER (WHERE m.status = 'approved'))::int AS approved
  FROM discovery.field_mappings AS m
 WHERE m.tenant_id = :tenant_id
   AND m.project_id = :project_id
   AND m.data_import_id = :import_id
