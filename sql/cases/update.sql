-- name: cases.update :many
-- What documents change of cases; what they do not say stays.
-- param: project_id uuid
-- param: rows jsonb
-- budget: 20 buffers
UPDATE cases.cases AS c
   SET case_type = coalesce(r.case_type, c.case_type),
       title = coalesce(r.title, c.title),
       priority = coalesce(r.priority, c.priority),
       jurisdiction = coalesce(r.jurisdiction, c.jurisdiction),
       customer_name = coalesce(r.customer_name, c.customer_name),
       assigned_to = coalesce(r.assigned_to, c.assigned_to),
       attributes = c.attributes || r.props
  FROM jsonb_to_recordset(:rows) AS r (
       case_id text, case_type text, title text, priority text, jurisdiction text, customer_name text, assigned_to text,
       props jsonb)
 WHERE c.tenant_id = :tenant_id
   AND c.project_id = :project_id
   AND c.case_id = r.case_id
RETURNING c.case_id, false AS inserted
