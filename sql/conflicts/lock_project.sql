-- name: conflicts.lock_project :value
-- Waits for the phase that changes assets of the project, as pipeline.lock_project takes it, and keeps
-- others out until the end of the transaction. Refused as any lock that takes too long.
-- param: project_id uuid
-- route: primary
SELECT pg_advisory_xact_lock(hashtextextended(concat('discovery ', :tenant_id::uuid, ' ', :project_id::uuid), 0))::text AS locked
