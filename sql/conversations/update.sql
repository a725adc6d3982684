-- name: conversations.update :one
-- Changes what is given of a live conversation, if it still has the expected version.
-- param: conversation_id uuid
-- param: owner_id uuid?              only this user's: a key that is bound to a user
-- param: expected_version bigint?   any version when absent (If-Match: *)
-- param: title text?
-- param: template text?
-- param: tags text[]?
-- param: metadata jsonb?
-- param: is_pinned boolean?
-- param: is_archived boolean?
-- null: template, parent_conversation_id, branched_at_seq, last_message_at
-- etag: version
-- budget: 50 buffers
UPDATE assistant.conversations AS c
   SET title = coalesce(:title, c.title),
       template = coalesce(:template, c.template),
       tags = coalesce(:tags::text[], c.tags),
       metadata = coalesce(:metadata::jsonb, c.metadata),
       is_pinned = coalesce(:is_pinned, c.is_pinned),
       is_archived = coalesce(:is_archived, c.is_archived)
 WHERE c.tenant_id = :tenant_id
   AND c.id = :conversation_id
   AND c.deleted_at IS NULL
   AND CASE WHEN :owner_id::uuid IS NULL THEN true ELSE c.user_id = :owner_id END
   AND CASE WHEN :expected_version::bigint IS NULL THEN true ELSE c.version = :expected_version END
RETURNING c.id, c.user_id, c.title, c.template, c.tags, c.metadata, c.is_pinned, c.is_archived,
          c.parent_conversation_id, c.branched_at_seq, c.message_count, c.last_message_at, c.active_at,
          c.version, c.created_at, c.updated_at
