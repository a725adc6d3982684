-- name: conversations.purge :affected
-- Removes a conversation, live or deleted, with its messages for good, if it still has the expected
-- version. Memories that came out of it stay.
-- param: conversation_id uuid
-- param: owner_id uuid?              only this user's: a key that is bound to a user
-- param: expected_version bigint?   any version when absent (If-Match: *)
-- budget: 20 buffers
DELETE FROM assistant.conversations AS c
 WHERE c.tenant_id = :tenant_id
   AND c.id = :conversation_id
   AND CASE WHEN :owner_id::uuid IS NULL THEN true ELSE c.user_id = :owner_id END
   AND CASE WHEN :expected_version::bigint IS NULL THEN true ELSE c.version = :expected_version END
