-- name: projects.create :one
-- A new project; whoever created_by names becomes its owner (by a trigger). No row: that is no live
-- user.
-- param: name text
-- param: language text
-- param: status text?          draft when absent
-- param: current_step int?     1 when absent
-- param: metadata jsonb?       {} when absent
-- param: created_by uuid?
-- null: created_by
-- etag: version
-- budget: 50 buffers
INSERT INTO workspace.projects AS p (tenant_id, name, language, status, current_step, metadata, created_by)
SELECT :tenant_id, :name, :language, coalesce(:status, 'draft'), coalesce(:current_step, 1),
       coalesce(:metadata::jsonb, '{}'), :created_by
 WHERE :created_by::uuid IS NULL
    OR EXISTS (SELECT FROM workspace.users AS u
                WHERE u.tenant_id = :tenant_id
                  AND u.id = :created_by
                  AND u.deleted_at IS NULL)
RETURNING p.id, p.name, p.status, p.language, p.current_step, p.metadata, p.created_by,
          p.version, p.created_at, p.updated_at
