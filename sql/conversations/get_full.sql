-- name: conversations.get_full :one
-- One live conversation with its newest messages, oldest first.
-- param: conversation_id uuid
-- param: owner_id uuid?              only this user's: a key that is bound to a user
-- param: message_limit int
-- null: template, parent_conversation_id, branched_at_seq, last_message_at
-- etag: version
-- budget: 20 buffers
SELECT c.id, c.user_id, c.title, c.template, c.tags, c.metadata, c.is_pinned, c.is_archived,
       c.parent_conversation_id, c.branched_at_seq, c.message_count, c.last_message_at, c.active_at,
       c.version, c.created_at, c.updated_at,
       (SELECT coalesce(json_agg(row_to_json(n) ORDER BY n.seq), '[]')
          FROM (SELECT m.id, m.conversation_id, m.seq, m.variant, m.is_active, m.edited_from, m.role,
                       m.content, m.model, m.tool_calls, m.tool_results, m.images, m.files, m.metadata,
                       m.token_count, m.created_at, m.updated_at
                  FROM assistant.messages AS m
                 WHERE m.tenant_id = :tenant_id
                   AND m.conversation_id = c.id
                   AND m.is_active
                 ORDER BY m.seq DESC
                 LIMIT :message_limit) AS n) AS messages
  FROM assistant.conversations AS c
 WHERE c.tenant_id = :tenant_id
   AND c.id = :conversation_id
   AND c.deleted_at IS NULL
   AND CASE WHEN :owner_id::uuid IS NULL THEN true ELSE c.user_id = :owner_id END
