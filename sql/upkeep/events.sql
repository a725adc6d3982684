-- name: upkeep.events :value
-- Sweeps up to `batch` events of all tenants that are older, never a final one; answers how many.
-- param: older_than interval
-- param: batch int
-- route: primary
SELECT core.sweep_events(:older_than, :batch)
