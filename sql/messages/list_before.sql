-- name: messages.list_before :many
-- The newest active messages before one, in their order: what a chat shows when it is scrolled back.
-- param: conversation_id uuid
-- param: before int
-- param: most int
-- null: edited_from, model, tool_calls, tool_results, images, token_count
-- budget: 20 buffers
SELECT n.id, n.conversation_id, n.seq, n.variant, n.is_active, n.edited_from, n.role, n.content, n.model,
       n.tool_calls, n.tool_results, n.images, n.files, n.metadata, n.token_count, n.created_at,
       n.updated_at
  FROM (SELECT m.id, m.conversation_id, m.seq, m.variant, m.is_active, m.edited_from, m.role, m.content,
               m.model, m.tool_calls, m.tool_results, m.images, m.files, m.metadata, m.token_count,
               m.created_at, m.updated_at
          FROM assistant.messages AS m
         WHERE m.tenant_id = :tenant_id
           AND m.conversation_id = :conversation_id
           AND m.is_active
           AND m.seq < :before
         ORDER BY m.seq DESC
         LIMIT :most) AS n
 ORDER BY n.seq
