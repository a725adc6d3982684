-- name: flows.get :one
-- One flow of a live project, with its phases.
-- param: project_id uuid
-- param: flow_id uuid
-- null: parent_flow_id, reason, error, created_by, started_at, paused_at, completed_at, archived_at, data_import_id, discovery_flow_id, phases, assessment_ready
-- etag: version
-- budget: 20 buffers
SELECT f.id, f.project_id, f.flow_type, f.flow_name, f.status, f.current_phase, f.progress, f.configuration, f.parent_flow_id,
       f.retry_count, f.reason, f.error, f.created_by, f.started_at, f.paused_at, f.completed_at, f.archived_at, f.version,
       f.created_at, f.updated_at,
       d.data_import_id, d.id AS discovery_flow_id, d.phases, d.assessment_ready
  FROM discovery.master_flows AS f
  LEFT JOIN discovery.discovery_flows AS d
    ON d.tenant_id = :tenant_id
   AND d.project_id = :project_id
   AND d.master_flow_id = f.id
 WHERE f.tenant_id = :tenant_id
   AND f.project_id = :project_id
   AND f.id = :flow_id
   AND EXISTS (SELECT FROM workspace.projects AS p
                WHERE p.tenant_id = :tenant_id
                  AND p.id = :project_id
                  AND p.deleted_at IS NULL)
