-- name: conversations.restore :one
-- Brings a softly deleted conversation back; no row when it is live or absent.
-- param: conversation_id uuid
-- param: owner_id uuid?              only this user's: a key that is bound to a user
-- null: template, parent_conversation_id, branched_at_seq, last_message_at
-- etag: version
-- budget: 20 buffers
UPDATE assistant.conversations AS c
   SET deleted_at = NULL
 WHERE c.tenant_id = :tenant_id
   AND c.id = :conversation_id
   AND c.deleted_at IS NOT NULL
   AND CASE WHEN :owner_id::uuid IS NULL THEN true ELSE c.user_id = :owner_id END
RETURNING c.id, c.user_id, c.title, c.template, c.tags, c.metadata, c.is_pinned, c.is_archived,
          c.parent_conversation_id, c.branched_at_seq, c.message_count, c.last_message_at, c.active_at,
          c.version, c.created_at, c.updated_at
