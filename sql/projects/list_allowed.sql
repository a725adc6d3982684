-- name: projects.list_allowed :page
-- The live projects that a restricted key may see, latest change first.
-- param: project_ids uuid[]?   only these: a key that is bound to projects
-- param: member_id uuid?       only where this user is a member: a key that is bound to a user
-- param: status text?          only this status
-- param: language text?        only this language
-- param: created_by uuid?      only what this user made
-- param: q text?               part of the name; case and accents do not matter
-- param: after_updated_at timestamptz?
-- param: after_id uuid?
-- param: limit int?
-- cursor: updated_at desc, id desc
-- null: created_by
-- budget: 20 buffers
WITH allowed AS (
    SELECT m.project_id AS id
      FROM workspace.project_members AS m
     WHERE m.tenant_id = :tenant_id
       AND m.user_id = :member_id::uuid
       AND CASE WHEN :project_ids::uuid[] IS NULL THEN true ELSE m.project_id = ANY (:project_ids) END
     UNION ALL
    SELECT DISTINCT g.id
      FROM unnest(:project_ids::uuid[]) AS g (id)
     WHERE :member_id::uuid IS NULL
)
SELECT p.id, p.name, p.status, p.language, p.current_step, p.metadata, p.created_by,
       p.version, p.created_at, p.updated_at
  FROM allowed AS a
  JOIN workspace.projects AS p ON p.tenant_id = :tenant_id AND p.id = a.id
 WHERE p.deleted_at IS NULL
   AND CASE WHEN :status::text IS NULL THEN true ELSE p.status = :status END
   AND CASE WHEN :language::text IS NULL THEN true ELSE p.language = :language END
   AND CASE WHEN :created_by::uuid IS NULL THEN true ELSE p.created_by = :created_by END
   AND CASE WHEN :q::text IS NULL THEN true
            ELSE strpos(core.unaccent(lower(p.name)), core.unaccent(lower(:q))) > 0 END
   AND (p.updated_at, p.id) < (least(:after_updated_at::timestamptz, 'infinity'),
                               least(:after_id::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
 ORDER BY p.updated_at DESC, p.id DESC
 LIMIT :limit
