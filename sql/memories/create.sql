-- name: memories.create :one
-- A new memory about a live user; no row when there is no such user. The user's row is locked, so
-- that nothing is made beside an erasure of the user.
-- param: user_id uuid
-- param: conversation_id uuid?   of the same user
-- param: question text
-- param: answer text
-- param: importance int?         5 when absent
-- param: tags text[]?
-- param: metadata jsonb?         {} when absent
-- param: expires_at timestamptz?
-- null: conversation_id, expires_at, last_used_at
-- etag: version
-- budget: 50 buffers
INSERT INTO assistant.memories AS m (
       tenant_id, user_id, conversation_id, question, answer, importance, tags, metadata, expires_at)
SELECT :tenant_id, u.id, :conversation_id, :question, :answer, coalesce(:importance::int, 5),
       coalesce(:tags::text[], '{}'), coalesce(:metadata::jsonb, '{}'), :expires_at
  FROM workspace.users AS u
 WHERE u.tenant_id = :tenant_id
   AND u.id = :user_id
   AND u.deleted_at IS NULL
   FOR SHARE OF u
RETURNING m.id, m.user_id, m.conversation_id, m.question, m.answer, m.importance, m.tags, m.metadata,
          m.expires_at, m.last_used_at, m.use_count, m.version, m.created_at, m.updated_at
