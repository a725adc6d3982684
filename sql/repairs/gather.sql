-- name: repairs.gather :value
-- Adds to a run what its quarantine takes along; answers how many rows it has. Changes no data.
-- param: run_id uuid
-- route: primary
SELECT ops.gather_repairs(:run_id)
