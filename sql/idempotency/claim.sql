-- name: idempotency.claim :affected
-- Takes an Idempotency-Key: 1 row when it is free or expired, 0 when an answer is stored. While
-- another transaction holds the key this waits for its end.
-- param: actor text
-- param: key text
-- param: request_hash bytea
-- param: expires_at timestamptz
-- budget: 50 buffers
INSERT INTO core.idempotency AS i (tenant_id, actor, key, request_hash, expires_at)
VALUES (:tenant_id, :actor, :key, :request_hash, :expires_at)
    ON CONFLICT (tenant_id, actor, key) DO UPDATE
   SET request_hash = excluded.request_hash, expires_at = excluded.expires_at,
       created_at = now(), status = NULL, headers = NULL, body = NULL
 WHERE i.expires_at < now()
