-- name: cases.take_turn :value
-- Waits until no other document works on what this one names.
-- param: project_id uuid
-- param: names text[]            cases, entities, documents
-- route: primary
SELECT cases.take_turn(:project_id, :names)::text AS done
