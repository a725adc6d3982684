-- name: cases.set_products :many
-- Adds or configures products of cases.
-- param: project_id uuid
-- param: rows jsonb
INSERT INTO cases.case_products AS o (tenant_id, project_id, case_id, product, status, props)
SELECT :tenant_id, :project_id, r.case_id, r.product, coalesce(r.status, 'requested'), r.props
  FROM jsonb_to_recordset(:rows) AS r (case_id text, product text, status text, props jsonb)
 ORDER BY r.case_id, r.product
    ON CONFLICT (tenant_id, project_id, case_id, product) DO UPDATE
   SET status = excluded.status, props = o.props || excluded.props
RETURNING o.case_id, o.product, old.id IS NULL AS inserted
