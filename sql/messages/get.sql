-- name: messages.get :one
-- The active variant of a message.
-- param: conversation_id uuid
-- param: owner_id uuid?              only this user's: a key that is bound to a user
-- param: seq int
-- null: edited_from, model, tool_calls, tool_results, images, token_count
-- budget: 20 buffers
SELECT m.id, m.conversation_id, m.seq, m.variant, m.is_active, m.edited_from, m.role, m.content, m.model,
       m.tool_calls, m.tool_results, m.images, m.files, m.metadata, m.token_count, m.created_at,
       m.updated_at
  FROM assistant.messages AS m
 WHERE m.tenant_id = :tenant_id
   AND m.conversation_id = :conversation_id
   AND m.seq = :seq
   AND m.is_active
   AND EXISTS (SELECT FROM assistant.conversations AS c
                WHERE c.tenant_id = :tenant_id
                  AND c.id = :conversation_id
                  AND c.deleted_at IS NULL
                  AND CASE WHEN :owner_id::uuid IS NULL THEN true ELSE c.user_id = :owner_id END)
