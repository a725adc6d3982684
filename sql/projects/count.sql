-- name: projects.count :value
-- How many projects projects.list has in all.
-- param: status text?          only this status
-- param: language text?        only this language
-- param: created_by uuid?      only what this user made
-- param: q text?               part of the name; case and accents do not matter
-- param: project_ids uuid[]?   only these: a key that is bound to projects
-- param: member_id uuid?       only where this user is a member: a key that is bound to a user
-- budget: 20000 buffers
SELECT count(*)
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
