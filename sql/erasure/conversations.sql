-- name: erasure.conversations :many
-- Removes some of a user's conversations for good, with their messages.
-- param: user_id uuid
-- param: batch int
-- budget: 50 buffers
WITH some_of_them AS (
    SELECT c.id
      FROM assistant.conversations AS c
     WHERE c.tenant_id = :tenant_id
       AND c.user_id = :user_id
     LIMIT :batch
)
DELETE FROM assistant.conversations AS c
 USING some_of_them AS s
 WHERE c.tenant_id = :tenant_id
   AND c.id = s.id
RETURNING c.id
