-- name: exports.delete :value
-- Removes an export of a live project for good and cancels its job; answers its id.
-- param: project_id uuid
-- param: export_id uuid
-- budget: 20 buffers
WITH gone AS (
    DELETE FROM workspace.exports AS e
     WHERE e.tenant_id = :tenant_id
       AND e.project_id = :project_id
       AND e.id = :export_id
       AND EXISTS (SELECT FROM workspace.projects AS p
                    WHERE p.tenant_id = :tenant_id
                      AND p.id = :project_id
                      AND p.deleted_at IS NULL)
    RETURNING e.id
), stopped AS (
    UPDATE ops.jobs AS j
       SET state = 'cancelled', claim = NULL, lease_until = NULL, finished_at = clock_timestamp()
      FROM gone
     WHERE j.tenant_id = :tenant_id
       AND j.id = gone.id
       AND j.state IN ('queued', 'running')
)
SELECT gone.id
  FROM gone
