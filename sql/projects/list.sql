-- name: projects.list :page
-- The tenant's live projects, latest change first.
-- param: status text?          only this status
-- param: language text?        only this language
-- param: created_by uuid?      only what this user made
-- param: q text?               part of the name; case and accents do not matter
-- param: project_ids uuid[]?   only these: a key that is bound to projects
-- param: member_id uuid?       only where this user is a member: a key that is bound to a user
-- param: after_updated_at timestamptz?
-- param: after_id uuid?
-- param: limit int?
-- cursor: updated_at desc, id desc
-- null: created_by
-- plan: index
SELECT p.id, p.name, p.status, p.language, p.current_step, p.metadata, p.created_by,
       p.version, p.created_at, p.updated_at
  FROM workspace.projects AS p
 WHERE p.tenant_id = :tenant_id
   AND p.deleted_at IS NULL
   AND (:status::text IS NULL OR p.status = :status)
   AND (:language::text IS NULL OR p.language = :language)
   AND (:created_by::uuid IS NULL OR p.created_by = :created_by)
   AND (:q::text IS NULL OR strpos(core.unaccent(lower(p.name)), core.unaccent(lower(:q))) > 0)
   AND (:project_ids::uuid[] IS NULL OR p.id = ANY (:project_ids))
   AND (:member_id::uuid IS NULL
        OR EXISTS (SELECT FROM workspace.project_members AS m
                    WHERE m.tenant_id = :tenant_id
                      AND m.user_id = :member_id
                      AND m.project_id = p.id))
   -- coalesce, not OR: so that the comparison stays an index condition on the first page as well
   AND (p.updated_at, p.id) < (coalesce(:after_updated_at::timestamptz, 'infinity'),
                               coalesce(:after_id::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
 ORDER BY p.updated_at DESC, p.id DESC
 LIMIT :limit
