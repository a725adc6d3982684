-- name: users.count :value
-- How many users users.list has in all.
-- param: q text?
-- budget: 2000 buffers
SELECT count(*)
  FROM workspace.users AS u
 WHERE u.tenant_id = :tenant_id
   AND u.deleted_at IS NULL
   AND (:q::text IS NULL
        OR strpos(core.unaccent(lower(u.name)), core.unaccent(lower(:q))) > 0
        OR strpos(lower(u.email), lower(:q)) > 0)
