-- name: pipeline.fail :affected
-- A flow was given up, with the reason for whoever waits for it. It can be let run again.
-- param: flow_id uuid
-- param: message text
UPDATE discovery.master_flows AS f
   SET status = 'failed', reason = left(:message::text, 1000),
       error = jsonb_build_object('phase', f.current_phase, 'message', :message::text)
 WHERE f.tenant_id = :tenant_id
   AND f.id = :flow_id
   AND f.status = 'running'
