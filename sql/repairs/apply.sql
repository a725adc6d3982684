-- name: repairs.apply :value
-- Does what a run has planned, all or nothing; answers how many rows.
-- param: run_id uuid
-- route: primary
SELECT ops.apply_repairs(:run_id)
