-- name: messages.append :one
-- Appends one message to a live conversation; no row when there is none.
-- param: conversation_id uuid
-- param: owner_id uuid?              only this user's: a key that is bound to a user
-- param: items json                   [{"role", "content", "model"?, "tool_calls"?, …}, …]
-- null: edited_from, model, tool_calls, tool_results, images, token_count
-- budget: 100 buffers
WITH input AS MATERIALIZED (
    SELECT uuidv7() AS id, i.role, i.content, i.model, i.tool_calls, i.tool_results, i.images, i.files,
           i.metadata, i.token_count, i.ordinal
      FROM ROWS FROM (json_to_recordset(:items) AS (
               role text, content text, model text, tool_calls jsonb, tool_results jsonb, images jsonb,
               files uuid[], metadata jsonb, token_count int))
           WITH ORDINALITY AS i (role, content, model, tool_calls, tool_results, images, files, metadata,
                                 token_count, ordinal)
), counted AS (
    -- the row's lock: who appends next waits here, and then counts on from what this one left
    UPDATE assistant.conversations AS c
       SET message_count = c.message_count + (SELECT count(*) FROM input),
           last_message_at = greatest(c.last_message_at, clock_timestamp())
     WHERE c.tenant_id = :tenant_id
       AND c.id = :conversation_id
       AND c.deleted_at IS NULL
       AND CASE WHEN :owner_id::uuid IS NULL THEN true ELSE c.user_id = :owner_id END
    RETURNING c.id, c.user_id, c.message_count, c.last_message_at, old.message_count AS count_before
)
INSERT INTO assistant.messages AS m (
       tenant_id, id, conversation_id, user_id, seq, role, content, model, tool_calls, tool_results, images,
       files, metadata, token_count, created_at, updated_at)
SELECT :tenant_id, i.id, c.id, c.user_id, c.count_before + i.ordinal, i.role, coalesce(i.content, ''), i.model,
       i.tool_calls, i.tool_results, i.images, coalesce(i.files, '{}'), coalesce(i.metadata, '{}'),
       i.token_count, c.last_message_at, c.last_message_at
  FROM input AS i
 CROSS JOIN counted AS c
RETURNING m.id, m.conversation_id, m.seq, m.variant, m.is_active, m.edited_from, m.role, m.content,
          m.model, m.tool_calls, m.tool_results, m.images, m.files, m.metadata, m.token_count,
          m.created_at, m.updated_at
