-- name: cases.differences :many
-- Rows that are in the projection of one project and not in that of the other, without ids and times.
-- param: stored_id uuid
-- param: replayed_id uuid
-- null: stored, replayed
-- budget: 500 buffers
WITH rows (project_id, of_table, content) AS MATERIALIZED (
    SELECT c.project_id, 'cases', to_jsonb(c) - '{id,project_id,created_at,updated_at,current_version}'::text[]
      FROM cases.cases AS c
     WHERE c.tenant_id = :tenant_id AND c.project_id IN (:stored_id, :replayed_id)
    UNION ALL
    SELECT e.project_id, 'entities', to_jsonb(e) - '{id,project_id,created_at,updated_at}'::text[]
      FROM cases.entities AS e
     WHERE e.tenant_id = :tenant_id AND e.project_id IN (:stored_id, :replayed_id)
    UNION ALL
    SELECT l.project_id, 'entity_links', to_jsonb(l) - '{id,project_id,created_at,updated_at}'::text[]
      FROM cases.entity_links AS l
     WHERE l.tenant_id = :tenant_id AND l.project_id IN (:stored_id, :replayed_id)
    UNION ALL
    SELECT r.project_id, 'case_roles', to_jsonb(r) - '{id,project_id,created_at,updated_at}'::text[]
      FROM cases.case_roles AS r
     WHERE r.tenant_id = :tenant_id AND r.project_id IN (:stored_id, :replayed_id)
    UNION ALL
    SELECT d.project_id, 'case_documents', to_jsonb(d) - '{id,project_id,created_at,updated_at}'::text[]
      FROM cases.case_documents AS d
     WHERE d.tenant_id = :tenant_id AND d.project_id IN (:stored_id, :replayed_id)
    UNION ALL
    SELECT o.project_id, 'case_products', to_jsonb(o) - '{id,project_id,created_at,updated_at}'::text[]
      FROM cases.case_products AS o
     WHERE o.tenant_id = :tenant_id AND o.project_id IN (:stored_id, :replayed_id)
    UNION ALL
    SELECT v.project_id, 'attribute_values', to_jsonb(v) - '{id,project_id,created_at,updated_at,version}'::text[]
      FROM cases.attribute_values AS v
     WHERE v.tenant_id = :tenant_id AND v.project_id IN (:stored_id, :replayed_id) AND v.case_id IS NOT NULL
)
SELECT coalesce(s.of_table, r.of_table) AS of_table, s.content AS stored, r.content AS replayed
  FROM (SELECT w.of_table, w.content FROM rows AS w WHERE w.project_id = :stored_id) AS s
  FULL JOIN (SELECT w.of_table, w.content FROM rows AS w WHERE w.project_id = :replayed_id) AS r
    ON r.of_table = s.of_table AND r.content = s.content
 WHERE s.content IS NULL OR r.content IS NULL
 ORDER BY 1, 2, 3
