-- name: dsl.facts :one
-- What a document must know to be validated, in one statement: the cases, entities, documents and
-- attributes that it names, the claims that do not fit, the links of ownership around the entities
-- that it links, the state machine.
-- param: project_id uuid
-- param: case_ids text[]
-- param: entity_ids text[]
-- param: document_ids text[]
-- param: attribute_ids uuid[]
-- param: attribute_names text[]
-- param: claims jsonb            [{"number", "attribute_id"?, "name"?, "value"}, …]
-- param: owned text[]            entities at either end of a link
-- budget: 500 buffers
WITH RECURSIVE around (entity_id) AS (
    SELECT o.entity_id
      FROM unnest(:owned::text[]) AS o (entity_id)
    UNION
    SELECT l.from_entity
      FROM around AS a
      JOIN cases.entity_links AS l
        ON l.tenant_id = :tenant_id AND l.project_id = :project_id AND l.to_entity = a.entity_id
     WHERE l.ownership_percent IS NOT NULL
), claimed AS (
    SELECT c.number, c.attribute_id, c.name, c.value
      FROM jsonb_to_recordset(:claims) AS c (number int, attribute_id uuid, name text, value jsonb)
)
SELECT (SELECT coalesce(jsonb_object_agg(c.case_id, jsonb_build_object(
                   'case_id', c.case_id, 'state', c.state, 'version', c.current_version,
                   'entity_id', c.attributes ->> 'entity_id',
                   'stages', ARRAY(SELECT DISTINCT e.stage
                                     FROM cases.case_events AS e
                                    WHERE e.tenant_id = :tenant_id AND e.project_id = :project_id
                                      AND e.case_id = c.case_id AND e.stage IS NOT NULL))), '{}')
          FROM cases.cases AS c
         WHERE c.tenant_id = :tenant_id AND c.project_id = :project_id AND c.case_id = ANY (:case_ids::text[])) AS cases,
       (SELECT coalesce(jsonb_agg(e.entity_id), '[]')
          FROM cases.entities AS e
         WHERE e.tenant_id = :tenant_id AND e.project_id = :project_id AND e.entity_id = ANY (:entity_ids::text[])) AS entities,
       (SELECT coalesce(jsonb_agg(DISTINCT d.document_id), '[]')
          FROM cases.case_documents AS d
         WHERE d.tenant_id = :tenant_id AND d.project_id = :project_id
           AND d.document_id = ANY (:document_ids::text[])) AS documents,
       (SELECT coalesce(jsonb_agg(jsonb_build_object('attribute_id', d.id, 'name', d.name)), '[]')
          FROM cases.dictionary AS d
         WHERE d.tenant_id = :tenant_id
           AND (d.id = ANY (:attribute_ids::uuid[]) OR d.name = ANY (:attribute_names::text[]))) AS attributes,
       (SELECT coalesce(jsonb_object_agg(c.number, m.wrong), '{}')
          FROM claimed AS c
          JOIN cases.dictionary AS d ON d.tenant_id = :tenant_id AND (d.id = c.attribute_id OR (c.attribute_id IS NULL AND d.name = c.name))
         CROSS JOIN LATERAL (SELECT cases.misfit(d.mask, d.rules, c.value) AS wrong OFFSET 0) AS m
         WHERE m.wrong IS NOT NULL) AS misfits,
       (SELECT coalesce(jsonb_agg(jsonb_build_object('owner', l.from_entity, 'owned', l.to_entity,
                   'relationship_type', l.relationship_type, 'percent', l.ownership_percent::text)), '[]')
          FROM around AS a
          JOIN cases.entity_links AS l
            ON l.tenant_id = :tenant_id AND l.project_id = :project_id AND l.to_entity = a.entity_id
         WHERE l.ownership_percent IS NOT NULL) AS links,
       (SELECT jsonb_object_agg(t.from_state, t.to_states)
          FROM (SELECT s.from_state, jsonb_agg(s.to_state ORDER BY s.to_state) AS to_states
                  FROM cases.transitions AS s
                 GROUP BY s.from_state) AS t) AS transitions
