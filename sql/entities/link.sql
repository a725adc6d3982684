-- name: entities.link :many
-- Links entities, or changes links that are there.
-- param: project_id uuid
-- param: rows jsonb
-- budget: 20 buffers
INSERT INTO cases.entity_links AS l (
       tenant_id, project_id, case_id, from_entity, to_entity, relationship_type, ownership_percent, verification, evidence,
       props)
SELECT :tenant_id, :project_id, r.case_id, r.from_entity, r.to_entity, r.relationship_type, r.ownership_percent,
       coalesce(r.verification, k.verification, 'pending'), coalesce(nullif(r.evidence, 'null'), k.evidence, '[]'), r.props
  FROM jsonb_to_recordset(:rows) AS r (
       case_id text, from_entity text, to_entity text, relationship_type text, ownership_percent numeric,
       verification text, evidence jsonb, props jsonb)
  LEFT JOIN cases.entity_links AS k
    ON k.tenant_id = :tenant_id AND k.project_id = :project_id AND k.from_entity = r.from_entity
   AND k.to_entity = r.to_entity AND k.relationship_type = r.relationship_type
 ORDER BY r.to_entity, r.from_entity, r.relationship_type
    ON CONFLICT (tenant_id, project_id, from_entity, to_entity, relationship_type) DO UPDATE
   SET ownership_percent = coalesce(excluded.ownership_percent, l.ownership_percent),
       verification = excluded.verification,
       evidence = excluded.evidence,
       props = l.props || excluded.props
RETURNING l.from_entity, l.to_entity, l.relationship_type, old.id IS NULL AS inserted
