-- name: proposals.create :one
-- What a generator made of an instruction, in a live project.
-- param: project_id uuid
-- param: instruction text
-- param: generator text
-- param: model text?
-- param: dsl text?                none: it could not
-- param: confidence numeric
-- param: verdict text
-- param: reason text?
-- param: findings jsonb
-- null: model, dsl, reason, decided_by, operation_id
-- etag: version
-- budget: 50 buffers
INSERT INTO cases.dsl_proposals AS p (
       tenant_id, project_id, instruction, generator, model, dsl, confidence, status, reason, findings)
SELECT :tenant_id, w.id, :instruction, :generator, :model, :dsl, :confidence, :verdict, :reason, :findings
  FROM workspace.projects AS w
 WHERE w.tenant_id = :tenant_id
   AND w.id = :project_id
   AND w.deleted_at IS NULL
RETURNING p.id, p.project_id, p.instruction, p.generator, p.model, p.dsl, p.confidence, p.status, p.reason, p.findings,
       p.decided_by, p.operation_id, p.version, p.created_at, p.updated_at
