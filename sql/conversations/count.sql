-- name: conversations.count :value
-- How many conversations conversations.list has in all.
-- param: user_id uuid          whose
-- param: archived boolean?
-- param: pinned boolean?
-- param: tag text?             only with this tag
-- param: q text?               part of the title; case and accents do not matter
-- budget: 100 buffers
SELECT count(*)
  FROM assistant.conversations AS c
 WHERE c.tenant_id = :tenant_id
   AND c.user_id = :user_id
   AND c.deleted_at IS NULL
   AND CASE WHEN :archived::boolean IS NULL THEN true ELSE c.is_archived = :archived END
   AND CASE WHEN :pinned::boolean IS NULL THEN true ELSE c.is_pinned = :pinned END
   AND CASE WHEN :tag::text IS NULL THEN true ELSE :tag = ANY (c.tags) END
   AND CASE WHEN :q::text IS NULL THEN true
            ELSE strpos(core.unaccent(lower(normalize(c.title))), core.unaccent(lower(normalize(:q)))) > 0 END
