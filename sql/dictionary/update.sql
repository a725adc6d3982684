-- name: dictionary.update :one
-- Changes what is given of an attribute, if it still has the expected version.
-- param: attribute_id uuid
-- param: expected_version bigint?   any version when absent (If-Match: *)
-- param: name text?
-- param: mask text?
-- param: group_id text?
-- param: rules jsonb?
-- param: domain text?
-- param: long_description text?
-- param: sensitivity text?
-- param: source jsonb?
-- param: sink jsonb?
-- null: domain
-- etag: version
-- budget: 50 buffers
UPDATE cases.dictionary AS d
   SET name = coalesce(:name, d.name),
       mask = coalesce(:mask, d.mask),
       group_id = coalesce(:group_id, d.group_id),
       rules = coalesce(:rules::jsonb, d.rules),
       domain = coalesce(:domain, d.domain),
       long_description = coalesce(:long_description, d.long_description),
       sensitivity = coalesce(:sensitivity, d.sensitivity),
       source = coalesce(:source::jsonb, d.source),
       sink = coalesce(:sink::jsonb, d.sink)
 WHERE d.tenant_id = :tenant_id
   AND d.id = :attribute_id
   AND (:expected_version::bigint IS NULL OR d.version = :expected_version)
RETURNING d.id, d.name, d.group_id, d.mask, d.rules, d.domain, d.long_description, d.sensitivity, d.source, d.sink,
       d.version, d.created_at, d.updated_at
