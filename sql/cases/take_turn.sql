-- name: cases.take_turn :many
-- Waits until no other document works on what this one names; then the versions of its cases, whose
-- rows stay locked until the transaction ends.
-- param: project_id uuid
-- param: names text[]            cases, entities, documents
-- param: case_ids text[]
-- route: primary
-- null: case_id, current_version
SELECT t.case_id, t.current_version
  FROM cases.take_turn(:project_id, :names, :case_ids) AS t
