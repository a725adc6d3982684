-- name: cases.lock :many
-- The versions of some cases, whose rows stay locked until the transaction ends.
-- param: project_id uuid
-- param: case_ids text[]
-- budget: 50 buffers
SELECT c.case_id, c.current_version
  FROM cases.cases AS c
 WHERE c.tenant_id = :tenant_id
   AND c.project_id = :project_id
   AND c.case_id = ANY (:case_ids::text[])
 ORDER BY c.case_id
   FOR NO KEY UPDATE
