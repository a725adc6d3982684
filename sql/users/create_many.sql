-- name: users.create_many :one
-- Many users at once, all or none; the ids come back in the order of the items.
-- param: items json     [{"email", "name", "profile"?}, …]
-- budget: 20 buffers
WITH input AS MATERIALIZED (
    SELECT uuidv7() AS id, i.email, i.name, i.profile, i.ordinal
      FROM ROWS FROM (json_to_recordset(:items) AS (email text, name text, profile jsonb))
           WITH ORDINALITY AS i (email, name, profile, ordinal)
), created AS (
    INSERT INTO workspace.users (tenant_id, id, email, name, profile)
    SELECT :tenant_id, i.id, i.email, i.name, coalesce(i.profile, '{}')
      FROM input AS i
     ORDER BY i.ordinal
)
SELECT coalesce(array_agg(i.id ORDER BY i.ordinal), '{}') AS ids
  FROM input AS i
