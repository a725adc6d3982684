-- name: conversations.create :one
-- A new conversation of a live user; no row when there is no such user. The user's row is locked, so
-- that nothing is made beside an erasure of the user.
-- param: user_id uuid
-- param: title text?       "New conversation" when absent
-- param: template text?
-- param: tags text[]?
-- param: metadata jsonb?   {} when absent
-- null: template, parent_conversation_id, branched_at_seq, last_message_at
-- etag: version
-- budget: 50 buffers
INSERT INTO assistant.conversations AS c (tenant_id, user_id, title, template, tags, metadata)
SELECT :tenant_id, u.id, coalesce(:title, 'New conversation'), :template, coalesce(:tags::text[], '{}'),
       coalesce(:metadata::jsonb, '{}')
  FROM workspace.users AS u
 WHERE u.tenant_id = :tenant_id
   AND u.id = :user_id
   AND u.deleted_at IS NULL
   FOR SHARE OF u
RETURNING c.id, c.user_id, c.title, c.template, c.tags, c.metadata, c.is_pinned, c.is_archived,
          c.parent_conversation_id, c.branched_at_seq, c.message_count, c.last_message_at, c.active_at,
          c.version, c.created_at, c.updated_at
