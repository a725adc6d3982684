-- name: maintenance.end :affected
-- Notes how a run of a periodic task ended.
-- param: run_id uuid
-- param: outcome text            succeeded, failed
-- param: counts jsonb            what was done, by name
-- param: error text?
UPDATE ops.maintenance_runs AS r
   SET outcome = :outcome, counts = :counts, error = :error, finished_at = clock_timestamp()
 WHERE r.id = :run_id
   AND r.outcome = 'running'
