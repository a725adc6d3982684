-- name: exports.count_download :affected
-- Counts a download that begins at the first byte; the audit trail keeps who made it.
-- param: export_id uuid
UPDATE workspace.exports AS e
   SET download_count = e.download_count + 1
 WHERE e.tenant_id = :tenant_id
   AND e.id = :export_id
   AND e.status = 'completed'
