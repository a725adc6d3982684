-- name: cases.transition :many
-- Moves cases along their state machine, step by step; answers the rows updated per form.
-- param: project_id uuid
-- param: rows jsonb
-- route: primary
-- null: form, updated
SELECT t.form, t.updated
  FROM cases.apply_transitions(:project_id, :rows) AS t
