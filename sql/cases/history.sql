-- name: cases.history :many
-- All documents of a project in the order in which they were executed, to execute them again. The text
-- is its version's; one about several cases, or about none, is kept with its operation. case_id: the
-- case that it was sent to.
-- param: project_id uuid
-- null: case_id, change_kind, dsl
-- budget: 10000 buffers
SELECT o.id, o.case_id, v.change_kind, coalesce(o.dsl, v.dsl) AS dsl
  FROM cases.dsl_operations AS o
  LEFT JOIN LATERAL (
       SELECT n.change_kind, n.dsl
         FROM cases.case_versions AS n
        WHERE n.tenant_id = :tenant_id
          AND n.operation_id = o.id
        ORDER BY n.case_id = o.case_id DESC NULLS LAST, n.id
        LIMIT 1) AS v ON true
 WHERE o.tenant_id = :tenant_id
   AND o.project_id = :project_id
   AND o.outcome = 'committed'
 ORDER BY o.id
