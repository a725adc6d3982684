-- name: imports.list :page
-- The imports of a live project, newest first.
-- param: project_id uuid
-- param: status text?       only this status
-- param: category text?     only this category
-- param: after_created_at timestamptz?
-- param: after_id uuid?
-- param: limit int?
-- cursor: created_at desc, id desc
-- null: discovery_flow_id, file_name, content_type, source_system, delimiter, imported_by, error
-- plan: index
-- budget: 500 buffers
SELECT i.id, i.project_id, i.master_flow_id, d.id AS discovery_flow_id, i.name, i.category, i.file_name,
       i.content_type, i.size, encode(i.sha256, 'hex') AS sha256, i.source_system, i.status,
       i.total_rows, i.loaded_rows, i.rejected_rows, i.encoding, i.delimiter, i.header, i.imported_by,
       i.error, i.version, i.created_at, i.updated_at
  FROM discovery.data_imports AS i
  LEFT JOIN discovery.discovery_flows AS d
    ON d.tenant_id = i.tenant_id AND d.project_id = i.project_id AND d.master_flow_id = i.master_flow_id
 WHERE i.tenant_id = :tenant_id
   AND i.project_id = :project_id
   AND CASE WHEN :status::text IS NULL THEN true ELSE i.status = :status END
   AND CASE WHEN :category::text IS NULL THEN true ELSE i.category = :category END
   AND EXISTS (SELECT FROM workspace.projects AS p
                WHERE p.tenant_id = :tenant_id
                  AND p.id = :project_id
                  AND p.deleted_at IS NULL)
   AND (i.created_at, i.id) < (least(:after_created_at::timestamptz, 'infinity'),
                               least(:after_id::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
 ORDER BY i.created_at DESC, i.id DESC
 LIMIT :limit
