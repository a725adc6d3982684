-- name: cases.projects :many
-- The tenant's projects in which documents were executed.
-- budget: 50000 buffers
SELECT p.id, p.name
  FROM workspace.projects AS p
 WHERE p.tenant_id = :tenant_id
   AND EXISTS (SELECT FROM cases.dsl_operations AS o
                WHERE o.tenant_id = :tenant_id AND o.project_id = p.id AND o.outcome = 'committed')
 ORDER BY p.id
