-- name: executions.metrics :one
-- The executions that a live project began in the last so many days, in figures: how many, how they
-- went, how long those took that ran and have ended, and the 10 most recent. Days are those of UTC.
-- param: project_id uuid
-- param: days int
-- null: success_rate
-- budget: 500 buffers
WITH began AS NOT MATERIALIZED (
    SELECT e.agent_type, e.status, e.duration_ms, e.created_at
      FROM workspace.agent_executions AS e
     WHERE e.tenant_id = :tenant_id
       AND e.project_id = :project_id
       AND e.created_at >= now() - make_interval(days => :days)
), cells AS MATERIALIZED (
    -- counted down to a few rows, from which all is made but the percentiles
    SELECT b.agent_type, b.status, (b.created_at AT TIME ZONE 'UTC')::date AS day,
           count(*) AS total, count(b.duration_ms) AS timed, sum(b.duration_ms) AS ms
      FROM began AS b
     GROUP BY 1, 2, 3
), overall AS (
    SELECT coalesce(sum(c.total), 0)::bigint AS total,
           sum(c.total) FILTER (WHERE c.status = 'completed') AS completed,
           sum(c.total) FILTER (WHERE c.status IN ('completed', 'failed')) AS decided,
           (sum(c.ms) / nullif(sum(c.timed), 0))::float8 AS avg
      FROM cells AS c
), percentiles AS (
    SELECT percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY b.duration_ms) AS of
      FROM began AS b
     WHERE b.duration_ms IS NOT NULL
), agents AS (
    SELECT c.agent_type, sum(c.total)::bigint AS total,
           coalesce(sum(c.total) FILTER (WHERE c.status = 'completed'), 0)::bigint AS completed,
           coalesce(sum(c.total) FILTER (WHERE c.status = 'failed'), 0)::bigint AS failed,
           (sum(c.ms) / nullif(sum(c.timed), 0))::float8 AS avg
      FROM cells AS c
     GROUP BY c.agent_type
), statuses AS (
    SELECT s.status, coalesce(sum(c.total), 0)::bigint AS total
      FROM unnest(ARRAY['pending', 'running', 'needs_input', 'completed', 'failed', 'cancelled']) AS s (status)
      LEFT JOIN cells AS c ON c.status = s.status
     GROUP BY s.status
), days AS (
    SELECT c.day, sum(c.total)::bigint AS total,
           coalesce(sum(c.total) FILTER (WHERE c.status = 'completed'), 0)::bigint AS completed,
           coalesce(sum(c.total) FILTER (WHERE c.status = 'failed'), 0)::bigint AS failed
      FROM cells AS c
     GROUP BY c.day
), latest AS (
    SELECT e.id, e.agent_type, e.correlation_id, e.status, e.progress, e.duration_ms, e.created_at, e.completed_at
      FROM workspace.agent_executions AS e
     WHERE e.tenant_id = :tenant_id
       AND e.project_id = :project_id
       AND e.created_at >= now() - make_interval(days => :days)
     ORDER BY e.created_at DESC, e.id DESC
     LIMIT 10
)
SELECT :days::int AS days, now() - make_interval(days => :days) AS since, o.total,
       (SELECT json_object_agg(s.status, s.total ORDER BY s.status) FROM statuses AS s) AS by_status,
       (coalesce(o.completed, 0) / nullif(o.decided, 0))::float8 AS success_rate,
       json_build_object('avg', o.avg, 'p50', t.of[1], 'p95', t.of[2]) AS duration_ms,
       (SELECT coalesce(json_object_agg(a.agent_type, json_build_object(
                   'total', a.total, 'completed', a.completed, 'failed', a.failed,
                   'success_rate', (a.completed::numeric / nullif(a.completed + a.failed, 0))::float8,
                   'avg_duration_ms', a.avg) ORDER BY a.total DESC, a.agent_type), '{}')
          FROM agents AS a) AS by_agent_type,
       (SELECT coalesce(json_agg(row_to_json(d) ORDER BY d.day), '[]') FROM days AS d) AS per_day,
       (SELECT coalesce(json_agg(row_to_json(l) ORDER BY l.created_at DESC, l.id DESC), '[]') FROM latest AS l) AS recent
  FROM workspace.projects AS p
 CROSS JOIN overall AS o
 CROSS JOIN percentiles AS t
 WHERE p.tenant_id = :tenant_id
   AND p.id = :project_id
   AND p.deleted_at IS NULL
