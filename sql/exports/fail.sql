-- name: exports.fail :affected
-- The export was given up, with the reason for whoever waits for it.
-- param: export_id uuid
-- param: error_message text
UPDATE workspace.exports AS e
   SET status = 'failed', error_message = :error_message
 WHERE e.tenant_id = :tenant_id
   AND e.id = :export_id
   AND e.status IN ('pending', 'running')
