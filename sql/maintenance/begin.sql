-- name: maintenance.begin :value
-- Notes that a periodic task begins; a run of it that never ended was abandoned. Answers the run's id.
-- param: task text
-- param: run_by text             host:pid
WITH abandoned AS (
    UPDATE ops.maintenance_runs AS r
       SET outcome = 'abandoned', finished_at = clock_timestamp()
     WHERE r.task = :task
       AND r.outcome = 'running'
)
INSERT INTO ops.maintenance_runs AS r (task, run_by)
VALUES (:task, :run_by)
RETURNING r.id
