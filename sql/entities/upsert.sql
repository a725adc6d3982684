-- name: entities.upsert :many
-- Registers entities, or adds to what is known of them.
-- param: project_id uuid
-- param: rows jsonb
-- budget: 20 buffers
INSERT INTO cases.entities AS e (tenant_id, project_id, entity_id, case_id, entity_type, name, jurisdiction, props)
SELECT :tenant_id, :project_id, r.entity_id, r.case_id, coalesce(r.entity_type, k.entity_type, 'other'), r.name,
       r.jurisdiction, r.props
  FROM jsonb_to_recordset(:rows) AS r (
       entity_id text, case_id text, entity_type text, name text, jurisdiction text, props jsonb)
  LEFT JOIN cases.entities AS k
    ON k.tenant_id = :tenant_id AND k.project_id = :project_id AND k.entity_id = r.entity_id
 ORDER BY r.entity_id
    ON CONFLICT (tenant_id, project_id, entity_id) DO UPDATE
   SET entity_type = excluded.entity_type,
       name = coalesce(excluded.name, e.name),
       jurisdiction = coalesce(excluded.jurisdiction, e.jurisdiction),
       props = e.props || excluded.props
RETURNING e.entity_id, old.id IS NULL AS inserted
