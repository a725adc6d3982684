-- name: imports.create :one
-- The flow and the import of a file that is being loaded, in a live project; no row where the project
-- has this file already, or is none. Waits for whoever loads the same file at this moment.
-- param: project_id uuid
-- param: name text
-- param: category text?       cmdb_export when absent
-- param: file_name text?
-- param: content_type text?
-- param: size bigint
-- param: sha256 bytea
-- param: source_system text?
-- param: encoding text
-- param: delimiter text?
-- param: imported_by uuid?
-- budget: 100 buffers
WITH flow AS (
    INSERT INTO discovery.master_flows AS f (tenant_id, project_id, flow_name, created_by)
    SELECT :tenant_id, p.id, :name, :imported_by
      FROM workspace.projects AS p
     WHERE p.tenant_id = :tenant_id
       AND p.id = :project_id
       AND p.deleted_at IS NULL
    RETURNING f.id, f.project_id
)
INSERT INTO discovery.data_imports AS i (
       tenant_id, project_id, master_flow_id, name, category, file_name, content_type, size, sha256,
       source_system, encoding, delimiter, imported_by)
SELECT :tenant_id, flow.project_id, flow.id, :name, coalesce(:category, 'cmdb_export'), :file_name,
       :content_type, :size, :sha256, :source_system, :encoding, :delimiter, :imported_by
  FROM flow
    ON CONFLICT (tenant_id, project_id, sha256) DO NOTHING
RETURNING i.id, i.master_flow_id
