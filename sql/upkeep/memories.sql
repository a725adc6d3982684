-- name: upkeep.memories :value
-- Sweeps up to `batch` expired memories of all tenants; answers how many there were.
-- param: batch int
-- route: primary
SELECT assistant.sweep_memories(:batch)
