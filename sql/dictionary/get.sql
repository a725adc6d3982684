-- name: dictionary.get :one
-- One attribute.
-- param: attribute_id uuid
-- null: domain
-- etag: version
-- budget: 50 buffers
SELECT d.id, d.name, d.group_id, d.mask, d.rules, d.domain, d.long_description, d.sensitivity, d.source, d.sink,
       d.version, d.created_at, d.updated_at
  FROM cases.dictionary AS d
 WHERE d.tenant_id = :tenant_id
   AND d.id = :attribute_id
