-- name: dictionary.create :one
-- A new attribute.
-- param: name text
-- param: mask text
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
INSERT INTO cases.dictionary AS d (
       tenant_id, name, mask, group_id, rules, domain, long_description, sensitivity, source, sink)
VALUES (:tenant_id, :name, :mask, coalesce(:group_id, 'general'), coalesce(:rules::jsonb, '{}'), :domain,
        coalesce(:long_description, ''), coalesce(:sensitivity, 'internal'), coalesce(:source::jsonb, '{}'),
        coalesce(:sink::jsonb, '{}'))
RETURNING d.id, d.name, d.group_id, d.mask, d.rules, d.domain, d.long_description, d.sensitivity, d.source, d.sink,
       d.version, d.created_at, d.updated_at
