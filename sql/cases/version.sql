-- name: cases.version :one
-- One version of a case with its text and its syntax tree.
-- param: project_id uuid
-- param: case_id text
-- param: version int
-- null: base_version, request_id
-- budget: 100 buffers
SELECT v.id, v.case_id, v.version, v.change_kind, v.base_version, encode(v.sha256, 'hex') AS sha256, v.dsl, v.ast,
       v.operation_id, v.author, v.request_id, v.created_at
  FROM cases.case_versions AS v
 WHERE v.tenant_id = :tenant_id
   AND v.project_id = :project_id
   AND v.case_id = :case_id
   AND v.version = :version
