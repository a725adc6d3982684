-- name: imports.delete :value
-- Removes an import of a live project with its rows and mappings; its flow is cancelled where it goes
-- on, and its jobs are stopped. Answers its id. Assets stay.
-- param: project_id uuid
-- param: import_id uuid
-- budget: 100 buffers
WITH gone AS (
    DELETE FROM discovery.data_imports AS i
     WHERE i.tenant_id = :tenant_id
       AND i.project_id = :project_id
       AND i.id = :import_id
       AND EXISTS (SELECT FROM workspace.projects AS p
                    WHERE p.tenant_id = :tenant_id
                      AND p.id = :project_id
                      AND p.deleted_at IS NULL)
    RETURNING i.id, i.project_id, i.master_flow_id
), flow AS (
    UPDATE discovery.master_flows AS f
       SET status = 'cancelled', reason = 'Its import was deleted.'
      FROM gone
     WHERE f.tenant_id = :tenant_id
       AND f.project_id = gone.project_id
       AND f.id = gone.master_flow_id
       AND f.status IN ('initialized', 'running', 'paused', 'waiting_for_approval', 'failed')
), stopped AS (
    UPDATE ops.jobs AS j
       SET state = 'cancelled', claim = NULL, lease_until = NULL, finished_at = clock_timestamp()
      FROM gone
     WHERE j.tenant_id = :tenant_id
       AND j.kind = 'discovery'
       AND j.args ->> 'flow_id' = gone.master_flow_id::text
       AND j.state IN ('queued', 'running')
)
SELECT gone.id
  FROM gone
