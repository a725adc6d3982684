-- name: users.list :page
-- The tenant's live users, newest first.
-- param: q text?           part of the name or the e-mail address; case and accents do not matter
-- param: after_created_at timestamptz?
-- param: after_id uuid?
-- param: limit int?
-- cursor: created_at desc, id desc
-- null: last_login_at
-- plan: index
-- budget: 20 buffers
SELECT u.id, u.email, u.name, u.profile, u.last_login_at, u.created_at, u.updated_at
  FROM workspace.users AS u
 WHERE u.tenant_id = :tenant_id
   AND u.deleted_at IS NULL
   AND CASE WHEN :q::text IS NULL THEN true
            ELSE strpos(core.unaccent(lower(u.name)), core.unaccent(lower(:q))) > 0
                 OR strpos(lower(u.email), lower(:q)) > 0 END
   AND (u.created_at, u.id) < (least(:after_created_at::timestamptz, 'infinity'),
                               least(:after_id::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
 ORDER BY u.created_at DESC, u.id DESC
 LIMIT :limit
