-- name: entities.list :page
-- The entities of a project by their ids.
-- param: project_id uuid
-- param: entity_type text?        only this type
-- param: after_entity_id text?
-- param: limit int?
-- cursor: entity_id
-- null: case_id, name, jurisdiction
-- plan: index
-- budget: 50 buffers
SELECT e.id, e.entity_id, e.entity_type, e.name, e.jurisdiction, e.case_id, e.props, e.created_at, e.updated_at
  FROM cases.entities AS e
 WHERE e.tenant_id = :tenant_id
   AND e.project_id = :project_id
   AND CASE WHEN :entity_type::text IS NULL THEN true ELSE e.entity_type = :entity_type END
   AND e.entity_id > greatest(:after_entity_id::text, '')
 ORDER BY e.entity_id
 LIMIT :limit
