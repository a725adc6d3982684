-- name: exports.lose :affected
-- Fails a completed export whose file is not on the disk any more, before its time.
-- param: export_id uuid
UPDATE workspace.exports AS e
   SET status = 'failed', error_message = 'The file was lost; make a new export.'
 WHERE e.tenant_id = :tenant_id
   AND e.id = :export_id
   AND e.status = 'completed'
   AND e.expires_at > now()
