-- name: pipeline.advance :affected
-- A flow goes on to its next phase; one that was paused meanwhile stands before it.
-- param: flow_id uuid
-- param: phase text              the next one
UPDATE discovery.master_flows AS f
   SET current_phase = :phase
 WHERE f.tenant_id = :tenant_id
   AND f.id = :flow_id
   AND f.status IN ('running', 'paused')
