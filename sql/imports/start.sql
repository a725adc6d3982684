-- name: imports.start :affected
-- Lets the flow of a loaded import go on to its validation: its discovery, and the job that works on
-- it, which has the flow's id.
-- param: project_id uuid
-- param: import_id uuid
-- param: flow_id uuid
-- allow: explain_failed the import of the example has its discovery already
-- budget: 100 buffers
WITH discovery_flow AS (
    INSERT INTO discovery.discovery_flows (tenant_id, project_id, master_flow_id, data_import_id, phases)
    SELECT :tenant_id, i.project_id, i.master_flow_id, i.id,
           jsonb_build_object('upload', jsonb_build_object(
               'status', 'completed', 'completed_at', now(), 'rows', i.loaded_rows))
      FROM discovery.data_imports AS i
     WHERE i.tenant_id = :tenant_id
       AND i.project_id = :project_id
       AND i.id = :import_id
), job AS (
    INSERT INTO ops.jobs (tenant_id, id, kind, args)
    VALUES (:tenant_id, :flow_id, 'discovery',
            jsonb_build_object('project_id', :project_id::uuid, 'flow_id', :flow_id::uuid))
)
UPDATE discovery.master_flows AS f
   SET status = 'running', current_phase = 'validation', reason = 'The file is loaded.'
 WHERE f.tenant_id = :tenant_id
   AND f.project_id = :project_id
   AND f.id = :flow_id
