-- name: assets.version :value
-- The version of a live asset: to tell a stale one from an absent one.
-- param: project_id uuid
-- param: asset_id uuid
-- budget: 20 buffers
SELECT a.version
  FROM discovery.assets AS a
 WHERE a.tenant_id = :tenant_id
   AND a.project_id = :project_id
   AND a.id = :asset_id
   AND a.deleted_at IS NULL
   AND EXISTS (SELECT FROM workspace.projects AS p
                WHERE p.tenant_id = :tenant_id
                  AND p.id = :project_id
                  AND p.deleted_at IS NULL)
