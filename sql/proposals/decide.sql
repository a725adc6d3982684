-- name: proposals.decide :one
-- Decides on a proposal of a live project that waits for it; no row when it does not, or not any more.
-- param: project_id uuid
-- param: proposal_id uuid
-- param: verdict text            executed or rejected
-- param: reason text?
-- param: operation_id uuid?      what executes it
-- null: model, dsl, reason, decided_by, operation_id
-- etag: version
-- budget: 50 buffers
UPDATE cases.dsl_proposals AS p
   SET status = :verdict,
       reason = coalesce(:reason, p.reason),
       operation_id = :operation_id,
       decided_by = coalesce(nullif(current_setting('app.actor', true), ''), session_user)
  FROM workspace.projects AS w
 WHERE p.tenant_id = :tenant_id
   AND p.project_id = :project_id
   AND p.id = :proposal_id
   AND p.status = 'proposed'
   AND w.tenant_id = :tenant_id
   AND w.id = :project_id
   AND w.deleted_at IS NULL
RETURNING p.id, p.project_id, p.instruction, p.generator, p.model, p.dsl, p.confidence, p.status, p.reason, p.findings,
       p.decided_by, p.operation_id, p.version, p.created_at, p.updated_at
