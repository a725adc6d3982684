-- name: messages.choose :one
-- Makes a variant the active one. Runs behind conversations.lock in one transaction; no row when
-- there is no such variant.
-- param: conversation_id uuid
-- param: seq int
-- param: variant int
-- null: edited_from, model, tool_calls, tool_results, images, token_count
-- budget: 100 buffers
WITH chosen AS (
    SELECT v.id
      FROM assistant.messages AS v
     WHERE v.tenant_id = :tenant_id
       AND v.conversation_id = :conversation_id
       AND v.seq = :seq
       AND v.variant = :variant
), put_away AS (
    UPDATE assistant.messages AS m
       SET is_active = false
     WHERE m.tenant_id = :tenant_id
       AND m.conversation_id = :conversation_id
       AND m.seq = :seq
       AND m.is_active
       AND m.variant <> :variant
       AND EXISTS (SELECT FROM chosen)
    RETURNING m.id
)
UPDATE assistant.messages AS m
   SET is_active = true
 WHERE m.tenant_id = :tenant_id
   AND m.conversation_id = :conversation_id
   AND m.seq = :seq
   AND m.variant = :variant
   -- a subquery, so that the other variant is put away first
   AND (SELECT count(*) FROM put_away) >= 0
RETURNING m.id, m.conversation_id, m.seq, m.variant, m.is_active, m.edited_from, m.role, m.content,
          m.model, m.tool_calls, m.tool_results, m.images, m.files, m.metadata, m.token_count,
          m.created_at, m.updated_at
