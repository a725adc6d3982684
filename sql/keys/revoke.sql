-- name: keys.revoke :affected
-- Refuses a key from now on, in every process within a moment (NOTIFY quarry_keys). Operator only.
-- param: key_id uuid
-- allow: tenant_predicate an operator names a key by its id alone
-- budget: 20 buffers
UPDATE core.api_keys AS k
   SET revoked_at = now()
 WHERE k.id = :key_id
   AND k.revoked_at IS NULL
