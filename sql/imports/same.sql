-- name: imports.same :one
-- The import of the same file in a live project.
-- param: project_id uuid
-- param: sha256 bytea
-- null: discovery_flow_id, file_name, content_type, source_system, delimiter, imported_by, error
-- etag: version
-- plan: index
-- budget: 20 buffers
SELECT i.id, i.project_id, i.master_flow_id, d.id AS discovery_flow_id, i.name, i.category, i.file_name,
       i.content_type, i.size, encode(i.sha256, 'hex') AS sha256, i.source_system, i.status,
       i.total_rows, i.loaded_rows, i.rejected_rows, i.encoding, i.delimiter, i.header, i.imported_by,
       i.error, i.version, i.created_at, i.updated_at
  FROM discovery.data_imports AS i
  LEFT JOIN discovery.discovery_flows AS d
    ON d.tenant_id = i.tenant_id AND d.project_id = i.project_id AND d.master_flow_id = i.master_flow_id
 WHERE i.tenant_id = :tenant_id
   AND i.project_id = :project_id
   AND i.sha256 = :sha256
   AND EXISTS (SELECT FROM workspace.projects AS p
                WHERE p.tenant_id = :tenant_id
                  AND p.id = :project_id
                  AND p.deleted_at IS NULL)
