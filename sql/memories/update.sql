-- name: memories.update :one
-- Changes what is given of a memory, if it still has the expected version.
-- param: memory_id uuid
-- param: owner_id uuid?         only this user's: a key that is bound to a user
-- param: expected_version bigint?   any version when absent (If-Match: *)
-- param: question text?
-- param: answer text?
-- param: importance int?
-- param: tags text[]?
-- param: metadata jsonb?
-- param: set_expiry boolean         also when expires_at is NULL: then it never expires
-- param: expires_at timestamptz?
-- param: used boolean               an assistant made use of it
-- null: conversation_id, expires_at, last_used_at
-- etag: version
-- budget: 50 buffers
UPDATE assistant.memories AS m
   SET question = coalesce(:question, m.question),
       answer = coalesce(:answer, m.answer),
       importance = coalesce(:importance::int, m.importance),
       tags = coalesce(:tags::text[], m.tags),
       metadata = coalesce(:metadata::jsonb, m.metadata),
       expires_at = CASE WHEN :set_expiry::boolean THEN :expires_at ELSE m.expires_at END,
       use_count = m.use_count + :used::boolean::int,
       last_used_at = CASE WHEN :used THEN clock_timestamp() ELSE m.last_used_at END
 WHERE m.tenant_id = :tenant_id
   AND m.id = :memory_id
   AND (m.expires_at IS NULL OR m.expires_at > now())
   AND CASE WHEN :owner_id::uuid IS NULL THEN true ELSE m.user_id = :owner_id END
   AND CASE WHEN :expected_version::bigint IS NULL THEN true ELSE m.version = :expected_version END
RETURNING m.id, m.user_id, m.conversation_id, m.question, m.answer, m.importance, m.tags, m.metadata,
          m.expires_at, m.last_used_at, m.use_count, m.version, m.created_at, m.updated_at
