-- name: entities.get :one
-- One entity with its links in both directions.
-- param: project_id uuid
-- param: entity_id text
-- null: case_id, name, jurisdiction
-- plan: index
-- budget: 200 buffers
SELECT e.id, e.entity_id, e.entity_type, e.name, e.jurisdiction, e.case_id, e.props,
       (SELECT coalesce(jsonb_agg(jsonb_build_object(
                   'from_entity', l.from_entity, 'to_entity', l.to_entity, 'relationship_type', l.relationship_type,
                   'ownership_percent', l.ownership_percent, 'verification', l.verification, 'evidence', l.evidence,
                   'props', l.props) ORDER BY l.from_entity, l.to_entity, l.relationship_type), '[]')
          FROM cases.entity_links AS l
         WHERE l.tenant_id = :tenant_id AND l.project_id = :project_id
           AND e.entity_id IN (l.from_entity, l.to_entity)) AS links,
       e.created_at, e.updated_at
  FROM cases.entities AS e
 WHERE e.tenant_id = :tenant_id
   AND e.project_id = :project_id
   AND e.entity_id = :entity_id
   AND EXISTS (SELECT FROM workspace.projects AS w
                WHERE w.tenant_id = :tenant_id AND w.id = :project_id AND w.deleted_at IS NULL)
