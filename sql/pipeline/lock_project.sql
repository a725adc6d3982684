-- name: pipeline.lock_project :value
-- One phase at a time changes the assets of a project: taken before any of its rows, so that flows never
-- deadlock. False when another flow has it: no job waits for minutes with a connection in hand.
-- param: project_id uuid
-- route: primary
SELECT pg_try_advisory_xact_lock(hashtextextended(concat('discovery ', :tenant_id::uuid, ' ', :project_id::uuid), 0)) AS locked
