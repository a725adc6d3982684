-- name: proposals.get :one
-- One proposal of a live project.
-- param: project_id uuid
-- param: proposal_id uuid
-- null: model, dsl, reason, decided_by, operation_id
-- etag: version
-- budget: 20 buffers
SELECT p.id, p.project_id, p.instruction, p.generator, p.model, p.dsl, p.confidence, p.status, p.reason, p.findings,
       p.decided_by, p.operation_id, p.version, p.created_at, p.updated_at
  FROM cases.dsl_proposals AS p
  JOIN workspace.projects AS w
    ON w.tenant_id = :tenant_id
   AND w.id = p.project_id
   AND w.deleted_at IS NULL
 WHERE p.tenant_id = :tenant_id
   AND p.project_id = :project_id
   AND p.id = :proposal_id
