-- name: messages.list :page
-- The active messages of a conversation in their order. Whether the caller may see it is asked first.
-- param: conversation_id uuid
-- param: behind int?           only messages with a higher seq
-- param: before int?           only messages with a lower seq
-- param: after_seq int?
-- param: limit int?
-- cursor: seq
-- null: edited_from, model, tool_calls, tool_results, images, token_count
-- allow: cursor_total messages_active_key: one active variant for each seq
-- plan: index
-- budget: 20 buffers
SELECT m.id, m.conversation_id, m.seq, m.variant, m.is_active, m.edited_from, m.role, m.content, m.model,
       m.tool_calls, m.tool_results, m.images, m.files, m.metadata, m.token_count, m.created_at,
       m.updated_at
  FROM assistant.messages AS m
 WHERE m.tenant_id = :tenant_id
   AND m.conversation_id = :conversation_id
   AND m.is_active
   AND m.seq > greatest(:behind::int, 0)
   AND m.seq < least(:before::int, 2147483647)
   AND m.seq > greatest(:after_seq::int, 0)
 ORDER BY m.seq
 LIMIT :limit
