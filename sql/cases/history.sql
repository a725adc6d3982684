-- name: cases.history :many
-- All documents of a project in the order in which they were executed, to execute them again: the
-- parts of one that is about several cases are put together. case_id: the case that it was sent to.
-- param: project_id uuid
-- null: case_id, change_kind, dsl
SELECT d.id, d.case_id, d.change_kind, d.dsl
  FROM (SELECT v.operation_id AS id,
               (array_agg(v.case_id ORDER BY v.id) FILTER (WHERE o.kind <> 'execute'))[1] AS case_id,
               min(v.change_kind) FILTER (WHERE v.change_kind IN ('rollback', 'replace')) AS change_kind,
               string_agg(v.dsl, E'\n' ORDER BY v.id) AS dsl
          FROM cases.case_versions AS v
          JOIN cases.dsl_operations AS o ON o.tenant_id = :tenant_id AND o.id = v.operation_id
         WHERE v.tenant_id = :tenant_id
           AND v.project_id = :project_id
         GROUP BY v.operation_id
        UNION ALL
        SELECT o.id, NULL, NULL, o.dsl
          FROM cases.dsl_operations AS o
         WHERE o.tenant_id = :tenant_id
           AND o.project_id = :project_id
           AND o.outcome = 'committed'
           AND o.dsl IS NOT NULL) AS d
 ORDER BY d.id
