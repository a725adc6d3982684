-- name: dsl.record :affected
-- One document that came through the gateway, executed or refused.
-- param: project_id uuid
-- param: operation_id uuid
-- param: kind text
-- param: case_id text?
-- param: outcome text
-- param: dsl text
-- param: keep_text boolean       no version holds it
-- param: forms int
-- param: errors jsonb
-- param: stages jsonb
-- param: rows jsonb
-- param: cases jsonb
-- budget: 50 buffers
INSERT INTO cases.dsl_operations (
       tenant_id, project_id, id, kind, case_id, outcome, dsl_sha256, dsl, forms, errors, stages, rows, cases)
SELECT :tenant_id, p.id, :operation_id, :kind, :case_id, :outcome, sha256(convert_to(:dsl, 'UTF8')),
       CASE WHEN :keep_text THEN :dsl END, :forms, :errors, :stages, :rows, :cases
  FROM workspace.projects AS p
 WHERE p.tenant_id = :tenant_id
   AND p.id = :project_id
