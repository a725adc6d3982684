-- name: exports.describe :many
-- What the files of these exports should be, whosever they are; no row for one that is gone.
-- param: tenants uuid[]
-- param: exports uuid[]
-- null: tenant_id, export_id, status, file_sha256
SELECT x.tenant_id, x.export_id, x.status, x.file_sha256
  FROM workspace.describe_exports(:tenants, :exports) AS x
