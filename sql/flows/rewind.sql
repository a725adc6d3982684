-- name: flows.rewind :affected
-- Phases that are to be done again are not done any more.
-- param: project_id uuid
-- param: flow_id uuid
-- param: phases text[]
-- budget: 20 buffers
UPDATE discovery.discovery_flows AS d
   SET phases = d.phases - :phases::text[], assessment_ready = false
 WHERE d.tenant_id = :tenant_id
   AND d.project_id = :project_id
   AND d.master_flow_id = :flow_id
