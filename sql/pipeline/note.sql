-- name: pipeline.note :affected
-- What a phase has come to, in the flow's list of phases.
-- param: flow_id uuid
-- param: project_id uuid
-- param: phase text
-- param: state text              completed, waiting
-- param: counts jsonb            what it did, in numbers
UPDATE discovery.discovery_flows AS d
   SET phases = d.phases || jsonb_build_object(:phase::text, jsonb_build_object(
                                'status', :state::text, 'at', now(), 'counts', :counts::jsonb)),
       assessment_ready = d.assessment_ready OR :phase::text = 'technical_debt' AND :state::text = 'completed'
 WHERE d.tenant_id = :tenant_id
   AND d.project_id = :project_id
   AND d.master_flow_id = :flow_id
