-- name: cases.reset :many
-- Takes away what a case's documents made, so that they can be executed again; history stays. The
-- rows that it changed and deleted, by table.
-- param: project_id uuid
-- param: case_id text
-- route: primary
-- null: of_table, updated, deleted
SELECT r.of_table, r.updated, r.deleted
  FROM cases.reset_case(:project_id, :case_id) AS r
