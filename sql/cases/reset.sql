-- name: cases.reset :value
-- Takes away what a case's documents made, so that they can be executed again; history stays.
-- param: project_id uuid
-- param: case_id text
-- route: primary
SELECT cases.reset_case(:project_id, :case_id)::text AS done
