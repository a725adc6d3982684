-- name: flows.lock :value
-- Waits for the phase that works on a flow, as pipeline.lock_flow takes it, and keeps others out until the
-- end of the transaction. Refused as any lock that takes too long.
-- param: flow_id uuid
-- route: primary
SELECT pg_advisory_xact_lock(hashtextextended(concat('flow ', :tenant_id::uuid, ' ', :flow_id::uuid), 0))::text AS locked
