-- name: flows.step :one
-- Takes a flow of a live project to another status. The state machine is a trigger: a step that it
-- does not have is refused. With a flow that is cancelled its jobs are, so that no worker goes on.
-- param: project_id uuid
-- param: flow_id uuid
-- param: status text             paused, cancelled, archived
-- param: reason text?
-- param: expected_version bigint?   any version when absent
-- null: parent_flow_id, reason, error, created_by, started_at, paused_at, completed_at, archived_at
-- etag: version
-- budget: 100 buffers
WITH taken AS (
    UPDATE discovery.master_flows AS f
       SET status = :status, reason = :reason
     WHERE f.tenant_id = :tenant_id
       AND f.project_id = :project_id
       AND f.id = :flow_id
       AND CASE WHEN :expected_version::bigint IS NULL THEN true ELSE f.version = :expected_version END
       AND EXISTS (SELECT FROM workspace.projects AS p
                    WHERE p.tenant_id = :tenant_id
                      AND p.id = :project_id
                      AND p.deleted_at IS NULL)
    RETURNING f.id, f.project_id, f.flow_type, f.flow_name, f.status, f.current_phase, f.progress, f.configuration, f.parent_flow_id,
           f.retry_count, f.reason, f.error, f.created_by, f.started_at, f.paused_at, f.completed_at, f.archived_at, f.version,
           f.created_at, f.updated_at
), stopped AS (
    UPDATE ops.jobs AS j
       SET state = 'cancelled', claim = NULL, lease_until = NULL, finished_at = clock_timestamp()
      FROM taken AS t
     WHERE t.status = 'cancelled'
       AND j.tenant_id = :tenant_id
       AND j.kind = 'discovery'
       AND j.args ->> 'flow_id' = t.id::text
       AND j.state IN ('queued', 'running')
)
SELECT t.id, t.project_id, t.flow_type, t.flow_name, t.status, t.current_phase, t.progress, t.configuration, t.parent_flow_id,
       t.retry_count, t.reason, t.error, t.created_by, t.started_at, t.paused_at, t.completed_at, t.archived_at, t.version,
       t.created_at, t.updated_at
  FROM taken AS t
