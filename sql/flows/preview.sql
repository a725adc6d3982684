-- name: flows.preview :page
-- What the rows of a flow would become, as cleansed so far, in the order of the file.
-- param: project_id uuid
-- param: flow_id uuid
-- param: after_row_number bigint?
-- param: limit int?
-- cursor: row_number
-- null: cleansed, asset_id
-- plan: index
-- allow: cursor_total a flow has one import, and a row number is there once in it
-- budget: 50 buffers
SELECT r.id, r.row_number, r.raw, r.cleansed, r.findings, r.outcome, r.asset_id
  FROM discovery.raw_records AS r
 WHERE r.tenant_id = :tenant_id
   AND r.project_id = :project_id
   AND r.data_import_id = (SELECT d.data_import_id FROM discovery.discovery_flows AS d
                            WHERE d.tenant_id = :tenant_id AND d.project_id = :project_id AND d.master_flow_id = :flow_id)
   AND r.master_flow_id = :flow_id
   AND EXISTS (SELECT FROM workspace.projects AS p
                WHERE p.tenant_id = :tenant_id
                  AND p.id = :project_id
                  AND p.deleted_at IS NULL)
   AND r.row_number > greatest(:after_row_number::bigint, 0)
 ORDER BY r.row_number
 LIMIT :limit
