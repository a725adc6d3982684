-- name: conversations.lock :value
-- Takes the lock under which messages are numbered, until the transaction ends; how many messages
-- there are. What reads messages to change them does so in a statement after this one: only that
-- sees what was written by whoever held the lock before.
-- param: conversation_id uuid
-- param: owner_id uuid?              only this user's: a key that is bound to a user
-- budget: 20 buffers
SELECT c.message_count
  FROM assistant.conversations AS c
 WHERE c.tenant_id = :tenant_id
   AND c.id = :conversation_id
   AND c.deleted_at IS NULL
   AND CASE WHEN :owner_id::uuid IS NULL THEN true ELSE c.user_id = :owner_id END
   FOR NO KEY UPDATE
