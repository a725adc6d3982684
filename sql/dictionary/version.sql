-- name: dictionary.version :value
-- The version of an attribute; no row when there is none.
-- param: attribute_id uuid
-- budget: 50 buffers
SELECT d.version
  FROM cases.dictionary AS d
 WHERE d.tenant_id = :tenant_id
   AND d.id = :attribute_id
