-- name: imports.leaf :value
-- The partition of discovery.raw_records that holds the tenant's rows: what COPY goes into.
-- budget: 20 buffers
SELECT 'discovery.raw_records_p' || remainder.number
  FROM generate_series(0, 7) AS remainder (number)
 WHERE satisfies_hash_partition('discovery.raw_records'::regclass, 8, remainder.number, :tenant_id::uuid)
