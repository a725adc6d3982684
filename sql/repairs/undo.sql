-- name: repairs.undo :value
-- Brings back exactly what a run changed; answers how many rows, 0 when there is nothing to undo.
-- param: run_id uuid
-- route: primary
SELECT ops.undo_repairs(:run_id)
