-- name: projects.strangers :value
-- Which items of projects.create_many name a created_by that is no live user, counted from 0.
-- param: items json
-- budget: 20 buffers
SELECT array_agg(i.ordinal - 1 ORDER BY i.ordinal)
  FROM ROWS FROM (json_to_recordset(:items) AS (created_by uuid))
       WITH ORDINALITY AS i (created_by, ordinal)
 WHERE i.created_by IS NOT NULL
   AND NOT EXISTS (SELECT FROM workspace.users AS u
                    WHERE u.tenant_id = :tenant_id
                      AND u.id = i.created_by
                      AND u.deleted_at IS NULL)
