-- name: cache.newest :many
-- The newest users of all tenants, with their last conversation, to fill an empty cache.
-- param: most int
-- null: tenant_id, user_id, conversation_id
SELECT n.tenant_id, n.user_id, n.conversation_id
  FROM assistant.newest(:most) AS n
