-- name: upkeep.partitions :value
-- Makes the audit partitions of the coming months; answers how many were missing.
-- param: months_ahead int
-- route: primary
SELECT audit.ensure_partitions(:months_ahead)
