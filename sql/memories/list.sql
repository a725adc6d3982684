-- name: memories.list :page
-- A user's memories: importance, then newest.
-- param: user_id uuid             whose
-- param: tag text?                only with this tag
-- param: min_importance int?      1 to 10
-- param: after_importance smallint?
-- param: after_created_at timestamptz?
-- param: after_id uuid?
-- param: limit int?
-- cursor: importance desc, created_at desc, id desc
-- null: conversation_id, expires_at, last_used_at
-- plan: index
-- budget: 100 buffers
SELECT m.id, m.user_id, m.conversation_id, m.question, m.answer, m.importance, m.tags, m.metadata,
       m.expires_at, m.last_used_at, m.use_count, m.version, m.created_at, m.updated_at
  FROM assistant.memories AS m
 WHERE m.tenant_id = :tenant_id
   AND m.user_id = :user_id
   AND (m.expires_at IS NULL OR m.expires_at > now())
   AND CASE WHEN :tag::text IS NULL THEN true ELSE :tag = ANY (m.tags) END
   AND m.importance >= greatest(:min_importance::int, 1)
   AND (m.importance, m.created_at, m.id) < (least(:after_importance::smallint, 32767::smallint),
                                             least(:after_created_at::timestamptz, 'infinity'),
                                             least(:after_id::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
 ORDER BY m.importance DESC, m.created_at DESC, m.id DESC
 LIMIT :limit
