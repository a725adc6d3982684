-- name: conversations.list :page
-- A user's live conversations: pinned first, then last activity.
-- param: user_id uuid          whose
-- param: archived boolean?
-- param: pinned boolean?
-- param: tag text?             only with this tag
-- param: q text?               part of the title; case and accents do not matter
-- param: after_is_pinned boolean?
-- param: after_active_at timestamptz?
-- param: after_id uuid?
-- param: limit int?
-- cursor: is_pinned desc, active_at desc, id desc
-- null: template, parent_conversation_id, branched_at_seq, last_message_at
-- plan: index
-- budget: 20 buffers
SELECT c.id, c.user_id, c.title, c.template, c.tags, c.metadata, c.is_pinned, c.is_archived,
       c.parent_conversation_id, c.branched_at_seq, c.message_count, c.last_message_at, c.active_at,
       c.version, c.created_at, c.updated_at
  FROM assistant.conversations AS c
 WHERE c.tenant_id = :tenant_id
   AND c.user_id = :user_id
   AND c.deleted_at IS NULL
   AND CASE WHEN :archived::boolean IS NULL THEN true ELSE c.is_archived = :archived END
   AND CASE WHEN :pinned::boolean IS NULL THEN true ELSE c.is_pinned = :pinned END
   AND CASE WHEN :tag::text IS NULL THEN true ELSE :tag = ANY (c.tags) END
   AND CASE WHEN :q::text IS NULL THEN true
            ELSE strpos(core.unaccent(lower(normalize(c.title))), core.unaccent(lower(normalize(:q)))) > 0 END
   AND (c.is_pinned, c.active_at, c.id) < (least(:after_is_pinned::boolean, true),
                                           least(:after_active_at::timestamptz, 'infinity'),
                                           least(:after_id::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
 ORDER BY c.is_pinned DESC, c.active_at DESC, c.id DESC
 LIMIT :limit
