-- name: pipeline.start :affected
-- A flow that has its rows begins to run.
-- param: flow_id uuid
UPDATE discovery.master_flows AS f
   SET status = 'running', current_phase = 'validation', reason = NULL
 WHERE f.tenant_id = :tenant_id
   AND f.id = :flow_id
   AND f.status = 'initialized'
