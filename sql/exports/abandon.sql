-- name: exports.abandon :value
-- Fails the exports of all tenants whose job was cancelled; answers how many.
-- route: primary
SELECT workspace.abandon_exports()
