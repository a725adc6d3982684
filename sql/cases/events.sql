-- name: cases.events :page
-- Every form that was executed for a case, newest first.
-- param: project_id uuid
-- param: case_id text
-- param: after_id uuid?
-- param: limit int?
-- cursor: id desc
-- null: case_id, version, stage
-- plan: index
-- budget: 20 buffers
SELECT e.id, e.case_id, e.version, e.form, e.verb, e.effect, e.stage, e.arguments, e.effects, e.operation_id, e.created_at
  FROM cases.case_events AS e
 WHERE e.tenant_id = :tenant_id
   AND e.project_id = :project_id
   AND e.case_id = :case_id
   AND e.id < least(:after_id::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
 ORDER BY e.id DESC
 LIMIT :limit
