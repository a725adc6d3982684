-- name: users.storage :one
-- What a live user has, by kind: how many, and bytes of text or content. Variants of messages count.
-- param: user_id uuid
-- budget: 20000 buffers
SELECT u.id AS user_id,
       (SELECT count(*)
          FROM assistant.conversations AS c
         WHERE c.tenant_id = :tenant_id AND c.user_id = u.id) AS conversations,
       (SELECT json_build_object('count', count(m.id), 'bytes', coalesce(sum(octet_length(m.content)), 0))
          FROM assistant.conversations AS c
          JOIN assistant.messages AS m ON m.tenant_id = :tenant_id AND m.conversation_id = c.id
         WHERE c.tenant_id = :tenant_id AND c.user_id = u.id) AS messages,
       (SELECT json_build_object('count', count(*),
                                 'bytes', coalesce(sum(octet_length(m.question) + octet_length(m.answer)), 0))
          FROM assistant.memories AS m
         WHERE m.tenant_id = :tenant_id AND m.user_id = u.id) AS memories,
       (SELECT json_build_object('count', count(*), 'bytes', coalesce(sum(f.size), 0))
          FROM assistant.files AS f
         WHERE f.tenant_id = :tenant_id AND f.user_id = u.id AND f.deleted_at IS NULL) AS files
  FROM workspace.users AS u
 WHERE u.tenant_id = :tenant_id
   AND u.id = :user_id
   AND u.deleted_at IS NULL
