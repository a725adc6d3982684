-- name: conversations.delete :affected
-- Deletes a conversation softly, if it still has the expected version.
-- param: conversation_id uuid
-- param: owner_id uuid?              only this user's: a key that is bound to a user
-- param: expected_version bigint?   any version when absent (If-Match: *)
-- budget: 50 buffers
UPDATE assistant.conversations AS c
   SET deleted_at = clock_timestamp()
 WHERE c.tenant_id = :tenant_id
   AND c.id = :conversation_id
   AND c.deleted_at IS NULL
   AND CASE WHEN :owner_id::uuid IS NULL THEN true ELSE c.user_id = :owner_id END
   AND CASE WHEN :expected_version::bigint IS NULL THEN true ELSE c.version = :expected_version END
