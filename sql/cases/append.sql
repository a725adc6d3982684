-- name: cases.append :affected
-- The next versions of cases. The trigger refuses a number that is not the next one.
-- param: project_id uuid
-- param: operation_id uuid
-- param: rows jsonb             [{"case_id", "version", "dsl", "ast", "change_kind", "base_version"?}, …]
-- budget: 20 buffers
INSERT INTO cases.case_versions (
       tenant_id, project_id, case_id, version, dsl, ast, change_kind, base_version, operation_id)
SELECT :tenant_id, :project_id, r.case_id, r.version, r.dsl, r.ast, r.change_kind, r.base_version,
       :operation_id
  FROM jsonb_to_recordset(:rows) AS r (
       case_id text, version int, dsl text, ast jsonb, change_kind text, base_version int)
