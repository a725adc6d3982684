-- name: cases.create :many
-- Cases that documents create; each answers whether it was inserted.
-- param: project_id uuid
-- param: rows jsonb
-- budget: 20 buffers
INSERT INTO cases.cases AS c (
       tenant_id, project_id, case_id, case_type, title, priority, jurisdiction, customer_name, assigned_to, attributes)
SELECT :tenant_id, :project_id, r.case_id, coalesce(r.case_type, 'onboarding'), r.title, coalesce(r.priority, 'normal'),
       r.jurisdiction, r.customer_name, r.assigned_to, r.props
  FROM jsonb_to_recordset(:rows) AS r (
       case_id text, case_type text, title text, priority text, jurisdiction text, customer_name text, assigned_to text,
       props jsonb)
RETURNING c.case_id, true AS inserted
