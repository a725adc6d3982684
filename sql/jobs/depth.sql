-- name: jobs.depth :many
-- How many jobs there are that are not done, by kind and state, and how long the first one that is
-- due has waited (seconds).
-- null: waited
-- allow: tenant_predicate figures of the whole installation, as role quarry_worker
SELECT j.kind, j.state, count(*) AS jobs,
       extract(epoch FROM now() - min(j.run_at) FILTER (WHERE j.state = 'queued' AND j.run_at < now()))::float8 AS waited
  FROM ops.jobs AS j
 WHERE j.state IN ('queued', 'running', 'dead')
 GROUP BY j.kind, j.state
 ORDER BY j.kind, j.state
