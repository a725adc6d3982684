-- name: dictionary.set_values :many
-- Values of attributes, by subject. What does not fit its attribute is refused by a trigger.
-- param: project_id uuid
-- param: rows jsonb
INSERT INTO cases.attribute_values AS v (
       tenant_id, project_id, attribute_id, subject_kind, subject_id, case_id, value, state, source, observed_at)
SELECT :tenant_id, :project_id, coalesce(r.attribute_id, d.id), r.subject_kind, r.subject_id, r.case_id,
       nullif(r.value, 'null'), coalesce(r.state, 'resolved'), r.source, r.observed_at
  FROM jsonb_to_recordset(:rows) AS r (
       attribute_id uuid, name text, subject_kind text, subject_id text, case_id text, value jsonb, state text,
       source text, observed_at timestamptz)
  LEFT JOIN cases.dictionary AS d
    ON d.tenant_id = :tenant_id AND d.name = r.name AND r.attribute_id IS NULL
 ORDER BY r.subject_kind, r.subject_id, 3
    ON CONFLICT (tenant_id, project_id, subject_kind, subject_id, attribute_id) DO UPDATE
   SET value = excluded.value, state = excluded.state, case_id = excluded.case_id,
       source = coalesce(excluded.source, v.source), observed_at = coalesce(excluded.observed_at, v.observed_at)
RETURNING v.subject_kind, v.subject_id, v.attribute_id, old.id IS NULL AS inserted
