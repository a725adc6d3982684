-- name: pipeline.stop :affected
-- A running flow waits for somebody, or is done.
-- param: flow_id uuid
-- param: status text             waiting_for_approval, completed
-- param: phase text              the one that it waits in, or completed
-- param: reason text?            what it waits for
UPDATE discovery.master_flows AS f
   SET status = :status, current_phase = :phase, reason = :reason
 WHERE f.tenant_id = :tenant_id
   AND f.id = :flow_id
   AND f.status = 'running'
