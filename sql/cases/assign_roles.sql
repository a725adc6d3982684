-- name: cases.assign_roles :many
-- Gives entities roles in cases.
-- param: project_id uuid
-- param: rows jsonb
-- budget: 20 buffers
INSERT INTO cases.case_roles AS o (tenant_id, project_id, case_id, entity_id, role, props)
SELECT :tenant_id, :project_id, r.case_id, r.entity_id, r.role, r.props
  FROM jsonb_to_recordset(:rows) AS r (case_id text, entity_id text, role text, props jsonb)
 ORDER BY r.case_id, r.entity_id, r.role
    ON CONFLICT (tenant_id, project_id, case_id, entity_id, role) DO UPDATE
   SET props = o.props || excluded.props
RETURNING o.case_id, o.entity_id, o.role, old.id IS NULL AS inserted
