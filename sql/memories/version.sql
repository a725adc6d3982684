-- name: memories.version :value
-- The version of a memory, to tell a stale one from an absent one.
-- param: memory_id uuid
-- param: owner_id uuid?         only this user's: a key that is bound to a user
-- budget: 20 buffers
SELECT m.version
  FROM assistant.memories AS m
 WHERE m.tenant_id = :tenant_id
   AND m.id = :memory_id
   AND (m.expires_at IS NULL OR m.expires_at > now())
   AND CASE WHEN :owner_id::uuid IS NULL THEN true ELSE m.user_id = :owner_id END
