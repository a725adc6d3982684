-- name: dsl.operations :page
-- What came through the gateway, newest first, refused documents too.
-- param: project_id uuid
-- param: outcome text?            only this outcome
-- param: after_id uuid?
-- param: limit int?
-- cursor: id desc
-- null: case_id, request_id
-- plan: index
-- budget: 20 buffers
SELECT o.id, o.kind, o.case_id, o.outcome, encode(o.dsl_sha256, 'hex') AS dsl_sha256, o.forms, o.errors, o.stages, o.rows, o.cases,
       o.author, o.request_id, o.created_at
  FROM cases.dsl_operations AS o
 WHERE o.tenant_id = :tenant_id
   AND o.project_id = :project_id
   AND CASE WHEN :outcome::text IS NULL THEN true ELSE o.outcome = :outcome END
   AND o.id < least(:after_id::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
 ORDER BY o.id DESC
 LIMIT :limit
