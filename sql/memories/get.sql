-- name: memories.get :one
-- One memory that has not expired.
-- param: memory_id uuid
-- param: owner_id uuid?         only this user's: a key that is bound to a user
-- null: conversation_id, expires_at, last_used_at
-- etag: version
-- budget: 20 buffers
SELECT m.id, m.user_id, m.conversation_id, m.question, m.answer, m.importance, m.tags, m.metadata,
       m.expires_at, m.last_used_at, m.use_count, m.version, m.created_at, m.updated_at
  FROM assistant.memories AS m
 WHERE m.tenant_id = :tenant_id
   AND m.id = :memory_id
   AND (m.expires_at IS NULL OR m.expires_at > now())
   AND CASE WHEN :owner_id::uuid IS NULL THEN true ELSE m.user_id = :owner_id END
