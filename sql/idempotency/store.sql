-- name: idempotency.store :affected
-- Stores the answer, in the transaction of the work.
-- param: actor text
-- param: key text
-- param: status int
-- param: headers jsonb
-- param: body bytea
-- budget: 20 buffers
UPDATE core.idempotency AS i
   SET status = :status, headers = :headers, body = :body
 WHERE i.tenant_id = :tenant_id
   AND i.actor = :actor
   AND i.key = :key
