-- name: messages.edit :one
-- Another variant of a message, made active. Runs behind conversations.lock in one transaction; no
-- row when there is no such message, or its role is another one.
-- param: conversation_id uuid
-- param: seq int
-- param: only_role text?       only a message of this role
-- param: truncate boolean      later messages go
-- param: carry boolean         what is not given is taken over from the variant before
-- param: changes json         {"content"?, "model"?, "tool_calls"?, …}; a token_count is not taken over
-- null: edited_from, model, tool_calls, tool_results, images, token_count
-- budget: 10000 buffers
WITH given AS (
    SELECT g.content, g.model, g.tool_calls, g.tool_results, g.images, g.files, g.metadata, g.token_count
      FROM json_to_record(:changes) AS g (
           content text, model text, tool_calls jsonb, tool_results jsonb, images jsonb, files uuid[],
           metadata jsonb, token_count int)
), put_away AS (
    UPDATE assistant.messages AS m
       SET is_active = false
     WHERE m.tenant_id = :tenant_id
       AND m.conversation_id = :conversation_id
       AND m.seq = :seq
       AND m.is_active
       AND CASE WHEN :only_role::text IS NULL THEN true ELSE m.role = :only_role END
    RETURNING m.user_id, m.variant, m.role, m.content, m.model, m.tool_calls, m.tool_results, m.images,
              m.files, m.metadata
), counted AS (
    UPDATE assistant.conversations AS c
       SET message_count = CASE WHEN :truncate::boolean THEN :seq ELSE c.message_count END,
           last_message_at = greatest(c.last_message_at, clock_timestamp())
     WHERE c.tenant_id = :tenant_id
       AND c.id = :conversation_id
       AND EXISTS (SELECT FROM put_away)
    RETURNING c.id, c.last_message_at
), taken_away AS (
    DELETE FROM assistant.messages AS m
     WHERE m.tenant_id = :tenant_id
       AND m.conversation_id = :conversation_id
       AND m.seq > :seq
       AND :truncate
       AND EXISTS (SELECT FROM put_away)
)
INSERT INTO assistant.messages AS m (
       tenant_id, conversation_id, user_id, seq, variant, edited_from, role, content, model, tool_calls,
       tool_results, images, files, metadata, token_count, created_at, updated_at)
SELECT :tenant_id, c.id, p.user_id, :seq,
       (SELECT max(v.variant) + 1
          FROM assistant.messages AS v
         WHERE v.tenant_id = :tenant_id
           AND v.conversation_id = :conversation_id
           AND v.seq = :seq),
       p.variant, p.role, coalesce(g.content, CASE WHEN :carry::boolean THEN p.content END, ''),
       coalesce(g.model, CASE WHEN :carry THEN p.model END),
       coalesce(g.tool_calls, CASE WHEN :carry THEN p.tool_calls END),
       coalesce(g.tool_results, CASE WHEN :carry THEN p.tool_results END),
       coalesce(g.images, CASE WHEN :carry THEN p.images END),
       coalesce(g.files, CASE WHEN :carry THEN p.files END, '{}'),
       coalesce(g.metadata, CASE WHEN :carry THEN p.metadata END, '{}'),
       g.token_count, c.last_message_at, c.last_message_at
  FROM put_away AS p
 CROSS JOIN counted AS c
 CROSS JOIN given AS g
RETURNING m.id, m.conversation_id, m.seq, m.variant, m.is_active, m.edited_from, m.role, m.content,
          m.model, m.tool_calls, m.tool_results, m.images, m.files, m.metadata, m.token_count,
          m.created_at, m.updated_at
