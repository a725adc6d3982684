-- name: exports.expire :many
-- Expires up to `batch` exports of all tenants whose time is over; answers which.
-- param: batch int
-- null: tenant_id, export_id
-- route: primary
SELECT x.tenant_id, x.export_id
  FROM workspace.expire_exports(:batch) AS x
