-- name: memories.delete :affected
-- Removes a memory for good, if it still has the expected version.
-- param: memory_id uuid
-- param: owner_id uuid?         only this user's: a key that is bound to a user
-- param: expected_version bigint?   any version when absent (If-Match: *)
-- budget: 20 buffers
DELETE FROM assistant.memories AS m
 WHERE m.tenant_id = :tenant_id
   AND m.id = :memory_id
   AND (m.expires_at IS NULL OR m.expires_at > now())
   AND CASE WHEN :owner_id::uuid IS NULL THEN true ELSE m.user_id = :owner_id END
   AND CASE WHEN :expected_version::bigint IS NULL THEN true ELSE m.version = :expected_version END
