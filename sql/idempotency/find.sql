-- name: idempotency.find :one
-- The stored answer of an Idempotency-Key.
-- param: actor text
-- param: key text
-- null: status, headers, body
-- budget: 20 buffers
SELECT i.request_hash, i.status, i.headers, i.body
  FROM core.idempotency AS i
 WHERE i.tenant_id = :tenant_id
   AND i.actor = :actor
   AND i.key = :key
