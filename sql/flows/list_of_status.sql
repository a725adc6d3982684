-- name: flows.list_of_status :page
-- The flows of a live project in one status, newest first.
-- param: project_id uuid
-- param: status text
-- param: type text?            only this type
-- param: after_created_at timestamptz?
-- param: after_id uuid?
-- param: limit int?
-- cursor: created_at desc, id desc
-- null: parent_flow_id, reason, error, created_by, started_at, paused_at, completed_at, archived_at
-- plan: index
-- budget: 50 buffers
SELECT f.id, f.project_id, f.flow_type, f.flow_name, f.status, f.current_phase, f.progress, f.configuration, f.parent_flow_id,
       f.retry_count, f.reason, f.error, f.created_by, f.started_at, f.paused_at, f.completed_at, f.archived_at, f.version,
       f.created_at, f.updated_at
  FROM discovery.master_flows AS f
 WHERE f.tenant_id = :tenant_id
   AND f.project_id = :project_id
   AND f.status = :status
   AND CASE WHEN :type::text IS NULL THEN true ELSE f.flow_type = :type END
   AND EXISTS (SELECT FROM workspace.projects AS p
                WHERE p.tenant_id = :tenant_id
                  AND p.id = :project_id
                  AND p.deleted_at IS NULL)
   AND (f.created_at, f.id) < (least(:after_created_at::timestamptz, 'infinity'),
                               least(:after_id::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
 ORDER BY f.created_at DESC, f.id DESC
 LIMIT :limit
