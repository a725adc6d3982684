-- name: repairs.file_missing :affected
-- Plans that exports whose file is lost are failed, as the first download would do.
-- param: run_id uuid
-- param: files jsonb   as of integrity.file_missing
-- allow: tenant_predicate an operator looks at all tenants
-- allow: tenant_insert the row's own tenant
INSERT INTO ops.repairs (tenant_id, run_id, check_name, table_name, row_id, action, changes, confidence, evidence)
SELECT e.tenant_id, :run_id, 'file_missing', 'workspace.exports', e.id, 'update',
       jsonb_build_object('status', 'failed', 'error_message', 'The file was lost; make a new export.'), 1.00,
       'the disk was looked at: the file is not there'
  FROM workspace.exports AS e
 WHERE e.status = 'completed'
   AND e.expires_at > now()
   AND NOT EXISTS (SELECT FROM jsonb_to_recordset(:files::jsonb) AS f (tenant_id uuid, export_id uuid, file_sha256 text)
                    WHERE f.tenant_id = e.tenant_id
                      AND f.export_id = e.id
                      AND f.file_sha256 = encode(e.file_sha256, 'hex'))
