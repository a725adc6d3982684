-- name: dictionary.define :many
-- Attributes that documents define, or define anew.
-- param: rows jsonb
INSERT INTO cases.dictionary AS d (tenant_id, id, name, mask, group_id, domain, long_description, rules)
SELECT :tenant_id, coalesce(r.attribute_id, uuidv7()), r.name, coalesce(r.mask, 'string'), coalesce(r.group_id, 'general'),
       r.domain, coalesce(r.long_description, ''), coalesce(nullif(r.rules, 'null'), '{}')
  FROM jsonb_to_recordset(:rows) AS r (
       attribute_id uuid, name text, mask text, group_id text, domain text, long_description text, rules jsonb)
 ORDER BY r.name
    ON CONFLICT (tenant_id, name) DO UPDATE
   SET mask = excluded.mask, group_id = excluded.group_id, domain = coalesce(excluded.domain, d.domain),
       long_description = excluded.long_description, rules = excluded.rules
RETURNING d.name, d.id AS attribute_id, old.id IS NULL AS inserted
