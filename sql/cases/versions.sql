-- name: cases.versions :page
-- The versions of a case without their text, newest first.
-- param: project_id uuid
-- param: case_id text
-- param: after_version int?
-- param: limit int?
-- cursor: version desc
-- null: base_version, request_id
-- plan: index
-- budget: 20 buffers
SELECT v.id, v.case_id, v.version, v.change_kind, v.base_version, encode(v.sha256, 'hex') AS sha256,
       octet_length(v.dsl) AS bytes, v.operation_id, v.author, v.request_id, v.created_at
  FROM cases.case_versions AS v
 WHERE v.tenant_id = :tenant_id
   AND v.project_id = :project_id
   AND v.case_id = :case_id
   AND v.version < least(:after_version::int, 2147483647)
 ORDER BY v.version DESC
 LIMIT :limit
