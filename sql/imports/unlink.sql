-- name: imports.unlink :affected
-- Assets of an import let go of the rows that they came from, in one statement: as flows.unlink.
-- param: project_id uuid
-- param: import_id uuid
-- budget: 200000 buffers
UPDATE discovery.assets AS a
   SET raw_record_id = NULL
  FROM discovery.data_imports AS i
 WHERE i.tenant_id = :tenant_id
   AND i.project_id = :project_id
   AND i.id = :import_id
   AND a.tenant_id = :tenant_id
   AND a.project_id = :project_id
   AND a.master_flow_id = i.master_flow_id
   AND a.raw_record_id IS NOT NULL
