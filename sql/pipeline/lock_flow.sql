-- name: pipeline.lock_flow :value
-- Whoever has this works on the flow alone until the end of the transaction: a phase, and what would pull
-- its rows from under it. False when somebody else has it. The flow's row stays free for its steps.
-- param: flow_id uuid
-- route: primary
SELECT pg_try_advisory_xact_lock(hashtextextended(concat('flow ', :tenant_id::uuid, ' ', :flow_id::uuid), 0)) AS locked
