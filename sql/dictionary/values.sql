-- name: dictionary.values :page
-- The values of a subject by attribute.
-- param: project_id uuid
-- param: subject_kind text
-- param: subject_id text
-- param: after_attribute_id uuid?
-- param: limit int?
-- cursor: attribute_id
-- null: value, source, observed_at, case_id
-- allow: cursor_total a subject has one value of an attribute, by a constraint
-- budget: 50 buffers
SELECT v.id, v.attribute_id, d.name, d.mask, v.value, v.state, v.source, v.observed_at, v.case_id, v.version, v.updated_at
  FROM cases.attribute_values AS v
  JOIN cases.dictionary AS d ON d.tenant_id = :tenant_id AND d.id = v.attribute_id
 WHERE v.tenant_id = :tenant_id
   AND v.project_id = :project_id
   AND v.subject_kind = :subject_kind
   AND v.subject_id = :subject_id
   AND v.attribute_id > greatest(:after_attribute_id::uuid, '00000000-0000-0000-0000-000000000000')
 ORDER BY v.attribute_id
 LIMIT :limit
