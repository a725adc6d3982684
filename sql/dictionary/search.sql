-- name: dictionary.search :page
-- Attributes that match a web-style search in name, group and description; best match first.
-- param: q text
-- param: group_id text?           only this group
-- param: mask text?               only this mask
-- param: after_rank float8?
-- param: after_id uuid?
-- param: limit int?
-- cursor: rank desc, id desc
-- null: domain
-- budget: 200 buffers
SELECT f.id, f.name, f.group_id, f.mask, f.rules, f.domain, f.long_description, f.sensitivity, f.source, f.sink,
       f.version, f.created_at, f.updated_at, f.rank
  FROM (SELECT d.id, d.name, d.group_id, d.mask, d.rules, d.domain, d.long_description, d.sensitivity, d.source, d.sink,
       d.version, d.created_at, d.updated_at,
               ts_rank_cd(d.search, a.query)::float8 AS rank
          FROM websearch_to_tsquery('simple', :q) AS a (query)
          JOIN cases.dictionary AS d ON d.tenant_id = :tenant_id
         WHERE d.search @@ a.query
           AND CASE WHEN :group_id::text IS NULL THEN true ELSE d.group_id = :group_id END
           AND CASE WHEN :mask::text IS NULL THEN true ELSE d.mask = :mask END) AS f
 WHERE (f.rank, f.id) < (least(:after_rank::float8, 'infinity'),
                         least(:after_id::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
 ORDER BY f.rank DESC, f.id DESC
 LIMIT :limit
