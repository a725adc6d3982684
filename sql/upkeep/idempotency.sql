-- name: upkeep.idempotency :value
-- Sweeps up to `batch` expired Idempotency-Keys of all tenants; answers how many there were.
-- param: batch int
-- route: primary
SELECT core.sweep_idempotency(:batch)
