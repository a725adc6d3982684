-- name: flows.unlink :affected
-- Assets of a flow let go of the rows that they came from, in one statement: foreign keys would do it row by
-- row when the rows are removed, and a million of those takes a quarter of an hour.
-- param: project_id uuid
-- param: flow_id uuid
-- budget: 100000 buffers
UPDATE discovery.assets AS a
   SET raw_record_id = NULL
 WHERE a.tenant_id = :tenant_id
   AND a.project_id = :project_id
   AND a.master_flow_id = :flow_id
   AND a.raw_record_id IS NOT NULL
