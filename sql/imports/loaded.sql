-- name: imports.loaded :affected
-- What the file held, once all of it is in; from here on it never changes.
-- param: project_id uuid
-- param: import_id uuid
-- param: rows bigint
-- param: header jsonb       names of the columns, in their order
-- budget: 20 buffers
UPDATE discovery.data_imports AS i
   SET status = 'loaded', total_rows = :rows, loaded_rows = :rows, header = :header
 WHERE i.tenant_id = :tenant_id
   AND i.project_id = :project_id
   AND i.id = :import_id
   AND i.status = 'loading'
