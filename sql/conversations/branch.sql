-- name: conversations.branch :one
-- A child conversation with the active messages of a live one up to at_seq; no row when there is no
-- such conversation, or it has fewer messages.
-- param: conversation_id uuid
-- param: owner_id uuid?              only this user's: a key that is bound to a user
-- param: at_seq int
-- param: title text?                  the parent's when absent
-- null: template, parent_conversation_id, branched_at_seq, last_message_at
-- etag: version
-- budget: 100 buffers
WITH parent AS (
    SELECT c.id, c.user_id, c.title, c.template, c.tags, c.metadata
      FROM assistant.conversations AS c
      JOIN workspace.users AS u ON u.tenant_id = :tenant_id AND u.id = c.user_id AND u.deleted_at IS NULL
     WHERE c.tenant_id = :tenant_id
       AND c.id = :conversation_id
       AND c.deleted_at IS NULL
       AND CASE WHEN :owner_id::uuid IS NULL THEN true ELSE c.user_id = :owner_id END
       AND c.message_count >= :at_seq::int
       FOR SHARE OF u  -- nothing is made beside an erasure of the user
), branch AS (
    INSERT INTO assistant.conversations AS c (
           tenant_id, user_id, title, template, tags, metadata, parent_conversation_id, branched_at_seq,
           message_count, last_message_at)
    SELECT :tenant_id, p.user_id, coalesce(:title, p.title), p.template, p.tags, p.metadata, p.id, :at_seq,
           :at_seq, clock_timestamp()
      FROM parent AS p
    RETURNING c.id, c.user_id, c.title, c.template, c.tags, c.metadata, c.is_pinned, c.is_archived,
              c.parent_conversation_id, c.branched_at_seq, c.message_count, c.last_message_at, c.active_at,
              c.version, c.created_at, c.updated_at
), copied AS (
    INSERT INTO assistant.messages (
           tenant_id, conversation_id, user_id, seq, role, content, model, tool_calls, tool_results, images,
           files, metadata, token_count, created_at)
    SELECT :tenant_id, b.id, b.user_id, m.seq, m.role, m.content, m.model, m.tool_calls, m.tool_results, m.images,
           m.files, m.metadata, m.token_count, m.created_at
      FROM branch AS b
      JOIN assistant.messages AS m ON m.tenant_id = :tenant_id AND m.conversation_id = b.parent_conversation_id
     WHERE m.seq <= :at_seq
       AND m.is_active
)
SELECT b.id, b.user_id, b.title, b.template, b.tags, b.metadata, b.is_pinned, b.is_archived,
       b.parent_conversation_id, b.branched_at_seq, b.message_count, b.last_message_at, b.active_at,
       b.version, b.created_at, b.updated_at
  FROM branch AS b
