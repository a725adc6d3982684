-- name: pipeline.refuse :affected
-- Rows that name nothing cannot become an asset: rejected with the reason; rows without any value are skipped.
-- param: import_id uuid
-- param: project_id uuid
UPDATE discovery.raw_records AS r
   SET outcome = CASE WHEN r.cleansed - 'asset_type' = '{"custom": {}}' THEN 'skipped' ELSE 'rejected' END,
       findings = r.findings || jsonb_build_array(jsonb_build_object(
           'phase', 'inventory',
           'code', CASE WHEN r.cleansed - 'asset_type' = '{"custom": {}}' THEN 'empty_row' ELSE 'nameless' END,
           'detail', CASE WHEN r.cleansed - 'asset_type' = '{"custom": {}}' THEN 'no column has a value'
                          ELSE 'neither name, hostname, fqdn, ip nor application has a value' END))
 WHERE r.tenant_id = :tenant_id
   AND r.project_id = :project_id
   AND r.data_import_id = :import_id
   AND r.outcome = 'pending'
   AND NOT r.cleansed ?| ARRAY['name', 'hostname', 'fqdn', 'ip', 'application']
