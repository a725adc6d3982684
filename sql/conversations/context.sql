-- name: conversations.context :one
-- What a model needs next: the newest messages that fit, oldest first, and the user's memories that
-- have most to do with what the user said last. A message without a token count is taken for a
-- quarter of its bytes.
-- param: conversation_id uuid
-- param: owner_id uuid?              only this user's: a key that is bound to a user
-- param: max_tokens bigint?
-- param: max_messages int
-- budget: 5000 buffers
WITH conversation AS (
    SELECT c.id, c.user_id, c.message_count
      FROM assistant.conversations AS c
     WHERE c.tenant_id = :tenant_id
       AND c.id = :conversation_id
       AND c.deleted_at IS NULL
       AND CASE WHEN :owner_id::uuid IS NULL THEN true ELSE c.user_id = :owner_id END
), newest AS (
    SELECT m.seq, m.role, m.content, m.model, m.tool_calls, m.tool_results, m.images, m.files, m.metadata,
           coalesce(m.token_count, ceil(octet_length(m.content) / 4.0)::int) AS tokens
      FROM conversation AS c
      JOIN assistant.messages AS m ON m.tenant_id = :tenant_id AND m.conversation_id = c.id
     WHERE m.is_active
       AND m.seq > c.message_count - :max_messages::int
), fitting AS (
    SELECT w.seq, w.role, w.content, w.model, w.tool_calls, w.tool_results, w.images, w.files, w.metadata, w.tokens
      FROM (SELECT n.seq, n.role, n.content, n.model, n.tool_calls, n.tool_results, n.images, n.files, n.metadata,
                   n.tokens, sum(n.tokens) OVER (ORDER BY n.seq DESC) AS tokens_so_far
              FROM newest AS n) AS w
     WHERE :max_tokens::bigint IS NULL
        OR w.tokens_so_far <= :max_tokens
), said AS (
    SELECT m.content
      FROM conversation AS c
      JOIN assistant.messages AS m ON m.tenant_id = :tenant_id AND m.conversation_id = c.id
     WHERE m.is_active
       AND m.role = 'user'
     ORDER BY m.seq DESC
     LIMIT 1
), remembered AS (
    SELECT m.id, m.question, m.answer, m.importance, m.tags, f.rank
      FROM conversation AS c
     CROSS JOIN said AS s
     CROSS JOIN LATERAL assistant.match_memories(c.user_id, s.content, 5) AS f
      JOIN assistant.memories AS m ON m.tenant_id = :tenant_id AND m.id = f.id
)
SELECT c.id AS conversation_id, c.message_count,
       (SELECT coalesce(sum(f.tokens), 0) FROM fitting AS f) AS tokens,
       (SELECT coalesce(json_agg(row_to_json(f) ORDER BY f.seq), '[]') FROM fitting AS f) AS messages,
       (SELECT coalesce(json_agg(row_to_json(r) ORDER BY r.rank DESC, r.id), '[]') FROM remembered AS r) AS memories
  FROM conversation AS c
