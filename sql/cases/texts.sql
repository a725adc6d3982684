-- name: cases.texts :many
-- The texts that a case consists of at a version: from its last rollback or replacement on, in order.
-- param: project_id uuid
-- param: case_id text
-- param: version int
-- plan: index
-- budget: 100 buffers
SELECT v.version, v.dsl, v.change_kind
  FROM cases.case_versions AS v
 WHERE v.tenant_id = :tenant_id
   AND v.project_id = :project_id
   AND v.case_id = :case_id
   AND v.version <= :version
   AND v.version >= (SELECT max(b.version)
                       FROM cases.case_versions AS b
                      WHERE b.tenant_id = :tenant_id AND b.project_id = :project_id AND b.case_id = :case_id
                        AND b.version <= :version AND b.change_kind <> 'append')
 ORDER BY v.version
