-- name: flows.run :one
-- Lets a flow of a live project go on, and asks for the job that does it. No row when it is in none of
-- the statuses that it may come from.
-- param: project_id uuid
-- param: flow_id uuid
-- param: sources text[]          statuses that it may come from
-- param: phase text?             from this phase on; from where it is when absent
-- null: parent_flow_id, reason, error, created_by, started_at, paused_at, completed_at, archived_at
-- etag: version
-- budget: 200 buffers
WITH taken AS (
    UPDATE discovery.master_flows AS f
       SET status = 'running', current_phase = coalesce(:phase::text, f.current_phase), reason = NULL
     WHERE f.tenant_id = :tenant_id
       AND f.project_id = :project_id
       AND f.id = :flow_id
       AND f.status = ANY (:sources)
       AND EXISTS (SELECT FROM workspace.projects AS p
                    WHERE p.tenant_id = :tenant_id
                      AND p.id = :project_id
                      AND p.deleted_at IS NULL)
    RETURNING f.id, f.project_id, f.flow_type, f.flow_name, f.status, f.current_phase, f.progress, f.configuration, f.parent_flow_id,
           f.retry_count, f.reason, f.error, f.created_by, f.started_at, f.paused_at, f.completed_at, f.archived_at, f.version,
           f.created_at, f.updated_at
), job AS (
    INSERT INTO ops.jobs (tenant_id, kind, args, max_attempts)
    SELECT :tenant_id, 'discovery', jsonb_build_object('flow_id', t.id), 10
      FROM taken AS t
)
SELECT t.id, t.project_id, t.flow_type, t.flow_name, t.status, t.current_phase, t.progress, t.configuration, t.parent_flow_id,
       t.retry_count, t.reason, t.error, t.created_by, t.started_at, t.paused_at, t.completed_at, t.archived_at, t.version,
       t.created_at, t.updated_at
  FROM taken AS t
