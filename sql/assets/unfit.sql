-- name: assets.unfit :many
-- Which items of a bulk change name an asset that is not there, or one of another version.
-- By their ids as well: IS NOT DISTINCT FROM is no index condition.
-- param: project_id uuid
-- param: items jsonb   as of assets.update_many
-- null: place, is_there
-- budget: 200 buffers
SELECT (i.place - 1)::int AS place, a.id IS NOT NULL AS is_there
  FROM jsonb_array_elements(:items::jsonb) WITH ORDINALITY AS i (item, place)
  LEFT JOIN discovery.assets AS a
    ON a.tenant_id = :tenant_id
   AND a.project_id IS NOT DISTINCT FROM :project_id
   AND a.id = (i.item ->> 'id')::uuid
   AND a.deleted_at IS NULL
 WHERE a.id IS NULL
    OR a.version <> (i.item ->> 'version')::bigint
 ORDER BY i.place
 LIMIT 100
