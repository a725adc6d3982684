-- name: proposals.waiting :many
-- The document of a proposal of a live project, and whether it waits for a decision.
-- param: project_id uuid
-- param: proposal_id uuid
-- null: dsl
-- budget: 20 buffers
SELECT p.dsl, p.status
  FROM cases.dsl_proposals AS p
  JOIN workspace.projects AS w
    ON w.tenant_id = :tenant_id
   AND w.id = p.project_id
   AND w.deleted_at IS NULL
 WHERE p.tenant_id = :tenant_id
   AND p.project_id = :project_id
   AND p.id = :proposal_id
