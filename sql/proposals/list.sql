-- name: proposals.list :page
-- The proposals of a live project, newest first.
-- param: project_id uuid
-- param: status text?            only this status
-- param: after_id uuid?
-- param: limit int?
-- cursor: id desc
-- null: model, dsl, reason, decided_by, operation_id
-- plan: index
-- allow: sort the reference data has no proposals; with many, their key gives the order
-- budget: 20 buffers
SELECT p.id, p.project_id, p.instruction, p.generator, p.model, p.dsl, p.confidence, p.status, p.reason, p.findings,
       p.decided_by, p.operation_id, p.version, p.created_at, p.updated_at
  FROM cases.dsl_proposals AS p
 WHERE p.tenant_id = :tenant_id
   AND p.project_id = :project_id
   AND EXISTS (SELECT FROM workspace.projects AS w
                WHERE w.tenant_id = :tenant_id
                  AND w.id = :project_id
                  AND w.deleted_at IS NULL)
   AND CASE WHEN :status::text IS NULL THEN true ELSE p.status = :status END
   AND p.id < least(:after_id::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
 ORDER BY p.id DESC
 LIMIT :limit
