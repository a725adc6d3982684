-- name: users.taken :value
-- Which items of users.create_many have an address that a live user has or an item before it,
-- counted from 0.
-- param: items json
-- budget: 20 buffers
WITH input AS (
    SELECT lower(i.email) AS email, i.ordinal,
           row_number() OVER (PARTITION BY lower(i.email) ORDER BY i.ordinal) AS nth
      FROM ROWS FROM (json_to_recordset(:items) AS (email text)) WITH ORDINALITY AS i (email, ordinal)
)
SELECT array_agg(i.ordinal - 1 ORDER BY i.ordinal)
  FROM input AS i
  LEFT JOIN workspace.users AS u
    ON u.tenant_id = :tenant_id AND lower(u.email) = i.email AND u.deleted_at IS NULL
 WHERE u.id IS NOT NULL
    OR i.nth > 1
