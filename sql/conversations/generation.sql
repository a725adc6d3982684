-- name: conversations.generation :value
-- What a cached answer about a live conversation and its messages must have been made at. With the
-- time beside the version: after a restored backup versions come a second time, with other content.
-- param: conversation_id uuid
-- param: owner_id uuid?              only this user's: a key that is bound to a user
-- budget: 20 buffers
SELECT c.version || '-' || (extract(epoch FROM c.updated_at) * 1000000)::bigint AS generation
  FROM assistant.conversations AS c
 WHERE c.tenant_id = :tenant_id
   AND c.id = :conversation_id
   AND c.deleted_at IS NULL
   AND CASE WHEN :owner_id::uuid IS NULL THEN true ELSE c.user_id = :owner_id END
