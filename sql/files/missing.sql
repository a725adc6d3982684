-- name: files.missing :value
-- How many of these ids are no files of the conversation's user.
-- param: conversation_id uuid
-- param: ids uuid[]
-- budget: 20 buffers
SELECT count(*)
  FROM unnest(:ids::uuid[]) AS i (id)
 WHERE NOT EXISTS (SELECT FROM assistant.files AS f
                     JOIN assistant.conversations AS c ON c.tenant_id = :tenant_id AND c.user_id = f.user_id
                    WHERE f.tenant_id = :tenant_id
                      AND f.id = i.id
                      AND f.deleted_at IS NULL
                      AND c.id = :conversation_id)
