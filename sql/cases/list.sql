-- name: cases.list :page
-- The cases of a project, latest change first.
-- param: project_id uuid
-- param: status text?             only this status
-- param: state text?              only this state
-- param: after_updated_at timestamptz?
-- param: after_id uuid?
-- param: limit int?
-- cursor: updated_at desc, id desc
-- null: title, jurisdiction, customer_name, assigned_to
-- plan: index
-- budget: 20 buffers
SELECT c.id, c.case_id, c.case_type, c.title, c.status, c.state, c.priority, c.jurisdiction, c.customer_name, c.assigned_to,
       c.current_version, c.attributes, c.created_at, c.updated_at
  FROM cases.cases AS c
 WHERE c.tenant_id = :tenant_id
   AND c.project_id = :project_id
   AND CASE WHEN :status::text IS NULL THEN true ELSE c.status = :status END
   AND CASE WHEN :state::text IS NULL THEN true ELSE c.state = :state END
   AND (c.updated_at, c.id) < (least(:after_updated_at::timestamptz, 'infinity'),
                               least(:after_id::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
 ORDER BY c.updated_at DESC, c.id DESC
 LIMIT :limit
