-- name: pipeline.standing :one
-- Where a flow stands now that a phase has done its work; it stays there until the end of the transaction.
-- param: flow_id uuid
SELECT f.status, f.current_phase
  FROM discovery.master_flows AS f
 WHERE f.tenant_id = :tenant_id
   AND f.id = :flow_id
   FOR NO KEY UPDATE
