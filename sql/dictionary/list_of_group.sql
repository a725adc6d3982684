-- name: dictionary.list_of_group :page
-- The attributes of one group by name.
-- param: group_id text
-- param: mask text?               only this mask
-- param: after_name text?
-- param: limit int?
-- cursor: name
-- null: domain, rank
-- plan: index
-- allow: sort the reference data has no attributes of a tenant's own; with many, their index gives the order
-- budget: 20 buffers
SELECT d.id, d.name, d.group_id, d.mask, d.rules, d.domain, d.long_description, d.sensitivity, d.source, d.sink,
       d.version, d.created_at, d.updated_at, NULL::float8 AS rank
  FROM cases.dictionary AS d
 WHERE d.tenant_id = :tenant_id
   AND d.group_id = :group_id
   AND CASE WHEN :mask::text IS NULL THEN true ELSE d.mask = :mask END
   AND d.name > greatest(:after_name::text, '')
 ORDER BY d.name
 LIMIT :limit
