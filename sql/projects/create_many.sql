-- name: projects.create_many :one
-- Many projects at once, all or none; the ids come back in the order of the items. No row: an item
-- names a created_by that is no live user (projects.strangers tells which).
-- param: items json        [{"name", "language", "status"?, "current_step"?, "metadata"?, "created_by"?}, …]
-- param: created_by uuid?  for items that name nobody
-- budget: 20 buffers
WITH input AS MATERIALIZED (
    SELECT uuidv7() AS id, i.name, i.language, i.status, i.current_step, i.metadata,
           coalesce(i.created_by, :created_by) AS created_by, i.ordinal
      FROM ROWS FROM (json_to_recordset(:items) AS (
               name text, language text, status text, current_step int, metadata jsonb, created_by uuid))
           WITH ORDINALITY AS i (name, language, status, current_step, metadata, created_by, ordinal)
), stranger AS (
    SELECT named.created_by
      FROM (SELECT DISTINCT i.created_by FROM input AS i WHERE i.created_by IS NOT NULL) AS named
     WHERE NOT EXISTS (SELECT FROM workspace.users AS u
                        WHERE u.tenant_id = :tenant_id
                          AND u.id = named.created_by
                          AND u.deleted_at IS NULL)
), created AS (
    INSERT INTO workspace.projects (tenant_id, id, name, language, status, current_step, metadata, created_by)
    SELECT :tenant_id, i.id, i.name, i.language, coalesce(i.status, 'draft'), coalesce(i.current_step, 1),
           coalesce(i.metadata, '{}'), i.created_by
      FROM input AS i
     WHERE NOT EXISTS (SELECT FROM stranger)
     ORDER BY i.ordinal
)
SELECT coalesce(array_agg(i.id ORDER BY i.ordinal), '{}') AS ids
  FROM input AS i
HAVING NOT EXISTS (SELECT FROM stranger)
