-- name: maintenance.last :many
-- When each periodic task last began, in seconds before now.
-- null: age
SELECT r.task, extract(epoch FROM clock_timestamp() - max(r.started_at))::float8 AS age
  FROM ops.maintenance_runs AS r
 GROUP BY r.task
