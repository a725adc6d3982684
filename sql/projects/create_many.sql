-- name: projects.create_many :one
-- Many projects at once, all or none; the ids come back in the order of the items.
-- param: items json        [{"name", "language", "status"?, "current_step"?, "metadata"?, "created_by"?}, …]
-- param: created_by uuid?  for items that name nobody
WITH input AS MATERIALIZED (
    SELECT uuidv7() AS id, i.name, i.language, i.status, i.current_step, i.metadata, i.created_by, i.ordinal
      FROM ROWS FROM (json_to_recordset(:items) AS (
               name text, language text, status text, current_step int, metadata jsonb, created_by uuid))
           WITH ORDINALITY AS i (name, language, status, current_step, metadata, created_by, ordinal)
), created AS (
    INSERT INTO workspace.projects (tenant_id, id, name, language, status, current_step, metadata, created_by)
    SELECT :tenant_id, i.id, i.name, i.language, coalesce(i.status, 'draft'), coalesce(i.current_step, 1),
           coalesce(i.metadata, '{}'), coalesce(i.created_by, :created_by)
      FROM input AS i
     ORDER BY i.ordinal
)
SELECT coalesce(array_agg(i.id ORDER BY i.ordinal), '{}') AS ids
  FROM input AS i
