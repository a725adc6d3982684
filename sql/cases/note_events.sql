-- name: cases.note_events :many
-- Every executed form with its effects.
-- param: project_id uuid
-- param: operation_id uuid
-- param: rows jsonb
-- budget: 20 buffers
INSERT INTO cases.case_events (
       tenant_id, project_id, case_id, operation_id, version, form, verb, effect, stage, arguments, effects)
SELECT :tenant_id, :project_id, r.case_id, :operation_id, r.version, r.form, r.verb, r.effect, r.stage, r.arguments,
       r.effects
  FROM jsonb_to_recordset(:rows) AS r (
       case_id text, version int, form int, verb text, effect text, stage int, arguments jsonb, effects jsonb)
 ORDER BY r.form
RETURNING form
