-- name: files.purge_of_conversation :many
-- Removes the files that were given in a conversation for good; what lies on the disk of them.
-- param: conversation_id uuid
-- param: owner_id uuid?         only this user's: a key that is bound to a user
-- null: stored_name
-- budget: 10000 buffers
DELETE FROM assistant.files AS f
 WHERE f.tenant_id = :tenant_id
   AND f.conversation_id = :conversation_id
   AND CASE WHEN :owner_id::uuid IS NULL THEN true ELSE f.user_id = :owner_id END
RETURNING f.stored_name
