-- name: conversations.version_of_any :value
-- The version of a conversation, be it live or deleted.
-- param: conversation_id uuid
-- param: owner_id uuid?              only this user's: a key that is bound to a user
-- budget: 20 buffers
SELECT c.version
  FROM assistant.conversations AS c
 WHERE c.tenant_id = :tenant_id
   AND c.id = :conversation_id
   AND CASE WHEN :owner_id::uuid IS NULL THEN true ELSE c.user_id = :owner_id END
