-- name: cases.take_turn :value
-- Waits until no other document works on what this one names, or on the entities that its cases are
-- about; for a case that is made anew, on all that were registered for it.
-- param: project_id uuid
-- param: names text[]            cases, entities, documents
-- param: anew text?              the case that is made anew
-- route: primary
-- budget: 200 buffers
SELECT cases.take_turn(:project_id, ARRAY(
           SELECT n.name
             FROM unnest(:names::text[]) AS n (name)
            UNION
           SELECT c.attributes ->> 'entity_id'
             FROM cases.cases AS c
            WHERE c.tenant_id = :tenant_id
              AND c.project_id = :project_id
              AND c.case_id = ANY (:names::text[])
              AND c.attributes ->> 'entity_id' IS NOT NULL
            UNION
           SELECT e.entity_id
             FROM cases.entities AS e
            WHERE e.tenant_id = :tenant_id
              AND e.project_id = :project_id
              AND e.case_id = :anew::text))::text AS done
