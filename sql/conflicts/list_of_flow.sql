-- name: conflicts.list_of_flow :page
-- The conflicts that one flow waits for or waited for, newest first, with what the asset says and what came in.
-- param: project_id uuid
-- param: flow_id uuid
-- param: resolved boolean?       only those that are resolved, or that are not
-- param: after_created_at timestamptz?
-- param: after_id uuid?
-- param: limit int?
-- cursor: created_at desc, id desc
-- null: resolution, merge_fields, resolved_by, resolved_at
-- plan: index
-- budget: 20 buffers
SELECT c.id, c.project_id, c.master_flow_id, c.raw_record_id, c.asset_id, c.kind, c.incoming, c.differences, c.resolution,
       c.merge_fields, c.resolved_by, c.resolved_at, c.created_at
  FROM discovery.asset_conflicts AS c
 WHERE c.tenant_id = :tenant_id
   AND c.project_id = :project_id
   AND c.master_flow_id = :flow_id
   AND CASE WHEN :resolved::boolean IS NULL THEN true ELSE (c.resolution IS NOT NULL) = :resolved END
   AND EXISTS (SELECT FROM workspace.projects AS p
                WHERE p.tenant_id = :tenant_id
                  AND p.id = :project_id
                  AND p.deleted_at IS NULL)
   AND (c.created_at, c.id) < (least(:after_created_at::timestamptz, 'infinity'),
                               least(:after_id::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
 ORDER BY c.created_at DESC, c.id DESC
 LIMIT :limit
