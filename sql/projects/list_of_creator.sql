-- name: projects.list_of_creator :page
-- The tenant's live projects that one user made, latest change first.
-- param: created_by uuid       the user
-- param: status text?          only this status
-- param: language text?        only this language
-- param: q text?               part of the name; case and accents do not matter
-- param: after_updated_at timestamptz?
-- param: after_id uuid?
-- param: limit int?
-- cursor: updated_at desc, id desc
-- null: created_by
-- plan: index
-- budget: 50 buffers
SELECT p.id, p.name, p.status, p.language, p.current_step, p.metadata, p.created_by,
       p.version, p.created_at, p.updated_at
  FROM workspace.projects AS p
 WHERE p.tenant_id = :tenant_id
   AND p.created_by = :created_by
   AND p.deleted_at IS NULL
   AND CASE WHEN :status::text IS NULL THEN true ELSE p.status = :status END
   AND CASE WHEN :language::text IS NULL THEN true ELSE p.language = :language END
   AND CASE WHEN :q::text IS NULL THEN true
            ELSE strpos(core.unaccent(lower(p.name)), core.unaccent(lower(:q))) > 0 END
   AND (p.updated_at, p.id) < (least(:after_updated_at::timestamptz, 'infinity'),
                               least(:after_id::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
 ORDER BY p.updated_at DESC, p.id DESC
 LIMIT :limit
