-- name: erasure.messages :value
-- How many messages, with all their variants, a user has.
-- param: user_id uuid
-- budget: 10000 buffers
SELECT count(*)
  FROM assistant.conversations AS c
  JOIN assistant.messages AS m ON m.tenant_id = :tenant_id AND m.conversation_id = c.id
 WHERE c.tenant_id = :tenant_id
   AND c.user_id = :user_id
