-- name: dictionary.known :many
-- The first attributes of the tenant's dictionary by name, as far as a generator must know them.
-- param: most int
-- budget: 100 buffers
SELECT d.id, d.name, d.mask, d.long_description
  FROM cases.dictionary AS d
 WHERE d.tenant_id = :tenant_id
 ORDER BY d.name
 LIMIT :most
