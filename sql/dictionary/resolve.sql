-- name: dictionary.resolve :many
-- The attributes of values that are to be stored, and why a value cannot be: the dictionary does not
-- have its attribute, or it does not fit it.
-- param: claims jsonb             [{"number", "attribute_id"?, "name"?, "value"}, …]
-- null: number, attribute_id, reason
-- budget: 50 buffers
SELECT c.number, d.id AS attribute_id,
       CASE WHEN d.id IS NULL THEN 'the dictionary has no such attribute' ELSE m.wrong END AS reason
  FROM jsonb_to_recordset(:claims) AS c (number int, attribute_id uuid, name text, value jsonb)
  LEFT JOIN cases.dictionary AS d
    ON d.tenant_id = :tenant_id AND (d.id = c.attribute_id OR (c.attribute_id IS NULL AND d.name = c.name))
  LEFT JOIN LATERAL (SELECT cases.misfit(d.mask, d.rules, c.value) AS wrong OFFSET 0) AS m ON true
 ORDER BY c.number
