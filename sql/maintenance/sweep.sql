-- name: maintenance.sweep :affected
-- Removes the record of runs that began so many days ago; the last one of each task stays.
-- param: days float8
DELETE FROM ops.maintenance_runs AS r
 WHERE r.started_at < now() - make_interval(secs => :days::float8 * 86400)
   AND EXISTS (SELECT FROM ops.maintenance_runs AS n
                WHERE n.task = r.task
                  AND n.started_at > r.started_at)
