-- name: messages.variants :page
-- All variants of a message, as they were made. Whether the caller may see it is asked first.
-- param: conversation_id uuid
-- param: seq int
-- param: after_variant int?
-- param: limit int?
-- cursor: variant
-- null: edited_from, model, tool_calls, tool_results, images, token_count
-- plan: index
-- budget: 20 buffers
SELECT m.id, m.conversation_id, m.seq, m.variant, m.is_active, m.edited_from, m.role, m.content, m.model,
       m.tool_calls, m.tool_results, m.images, m.files, m.metadata, m.token_count, m.created_at,
       m.updated_at
  FROM assistant.messages AS m
 WHERE m.tenant_id = :tenant_id
   AND m.conversation_id = :conversation_id
   AND m.seq = :seq
   AND m.variant > greatest(:after_variant::int, 0)
 ORDER BY m.variant
 LIMIT :limit
