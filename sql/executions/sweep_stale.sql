-- name: executions.sweep_stale :value
-- Makes up to `batch` running executions of all tenants failed that gave no sign of life for so
-- long, with the error "no heartbeat"; answers how many. To be called until it answers 0.
-- param: stale interval
-- param: batch int
-- route: primary
SELECT workspace.sweep_executions(:stale, :batch)
