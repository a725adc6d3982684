-- name: users.export :stream
-- Everything of a live user, one thing a row: the user, conversations, each before its messages with
-- all their variants, memories, files. Deleted conversations are part of it: they are still there.
-- param: user_id uuid
-- plan: index
-- budget: 20000 buffers
WITH whose AS (
    SELECT u.id, u.email, u.name, u.profile, u.last_login_at, u.created_at, u.updated_at
      FROM workspace.users AS u
     WHERE u.tenant_id = :tenant_id
       AND u.id = :user_id
       AND u.deleted_at IS NULL
)
SELECT 'user' AS kind, row_to_json(u) AS data
  FROM whose AS u
 UNION ALL
SELECT of_conversation.kind, of_conversation.data
  FROM whose AS u
  JOIN assistant.conversations AS c ON c.tenant_id = :tenant_id AND c.user_id = u.id
 CROSS JOIN LATERAL (
       (SELECT 'conversation' AS kind, row_to_json(k) AS data
          FROM (SELECT c.id, c.title, c.template, c.tags, c.metadata, c.is_pinned, c.is_archived,
                       c.parent_conversation_id, c.branched_at_seq, c.message_count, c.last_message_at,
                       c.created_at, c.updated_at, c.deleted_at) AS k)
        UNION ALL
       (SELECT 'message', row_to_json(k)
          FROM (SELECT m.id, m.conversation_id, m.seq, m.variant, m.is_active, m.edited_from, m.role, m.content,
                       m.model, m.tool_calls, m.tool_results, m.images, m.files, m.metadata, m.token_count,
                       m.created_at
                  FROM assistant.messages AS m
                 WHERE m.tenant_id = :tenant_id
                   AND m.conversation_id = c.id
                 ORDER BY m.seq, m.variant) AS k)) AS of_conversation
 UNION ALL
SELECT 'memory', row_to_json(k)
  FROM (SELECT m.id, m.conversation_id, m.question, m.answer, m.importance, m.tags, m.metadata, m.expires_at,
               m.last_used_at, m.use_count, m.created_at, m.updated_at
          FROM whose AS u
          JOIN assistant.memories AS m ON m.tenant_id = :tenant_id AND m.user_id = u.id) AS k
 UNION ALL
SELECT 'file', row_to_json(k)
  FROM (SELECT f.id, f.conversation_id, f.original_name, f.mime_type, f.size, encode(f.sha256, 'hex') AS sha256,
               f.path, f.analysis, f.status, f.error, f.processed_at, f.created_at, f.deleted_at
          FROM whose AS u
          JOIN assistant.files AS f ON f.tenant_id = :tenant_id AND f.user_id = u.id) AS k
