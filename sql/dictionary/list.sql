-- name: dictionary.list :page
-- The attributes of the tenant's dictionary by name.
-- param: group_id text?           only this group
-- param: mask text?               only this mask
-- param: after_name text?
-- param: limit int?
-- cursor: name
-- null: domain
-- plan: index
SELECT d.id, d.name, d.group_id, d.mask, d.rules, d.domain, d.long_description, d.sensitivity, d.source, d.sink,
       d.version, d.created_at, d.updated_at
  FROM cases.dictionary AS d
 WHERE d.tenant_id = :tenant_id
   AND (:group_id::text IS NULL OR d.group_id = :group_id)
   AND (:mask::text IS NULL OR d.mask = :mask)
   AND d.name > coalesce(:after_name::text, '')
 ORDER BY d.name
 LIMIT :limit
