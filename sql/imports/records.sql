-- name: imports.records :page
-- The rows of an import in a live project, in the order of the file.
-- param: project_id uuid
-- param: import_id uuid
-- param: after_row_number bigint?
-- param: limit int?
-- cursor: row_number
-- null: cleansed, asset_id
-- plan: index
-- allow: cursor_total a row number is there once in an import: raw_records_row_number_key
-- budget: 50 buffers
SELECT r.id, r.row_number, r.raw, r.cleansed, r.findings, r.outcome, r.asset_id
  FROM discovery.raw_records AS r
 WHERE r.tenant_id = :tenant_id
   AND r.project_id = :project_id
   AND r.data_import_id = :import_id
   AND r.master_flow_id = (SELECT i.master_flow_id FROM discovery.data_imports AS i
                            WHERE i.tenant_id = :tenant_id AND i.project_id = :project_id AND i.id = :import_id)
   AND EXISTS (SELECT FROM workspace.projects AS p
                WHERE p.tenant_id = :tenant_id
                  AND p.id = :project_id
                  AND p.deleted_at IS NULL)
   AND r.row_number > greatest(:after_row_number::bigint, 0)
 ORDER BY r.row_number
 LIMIT :limit
