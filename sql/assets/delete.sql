-- name: assets.delete :affected
-- Deletes an asset softly.
-- param: project_id uuid
-- param: asset_id uuid
-- param: expected_version bigint?   any version when absent
-- budget: 100 buffers
UPDATE discovery.assets AS a
   SET deleted_at = clock_timestamp()
 WHERE a.tenant_id = :tenant_id
   AND a.project_id = :project_id
   AND a.id = :asset_id
   AND a.deleted_at IS NULL
   AND CASE WHEN :expected_version::bigint IS NULL THEN true ELSE a.version = :expected_version END
   AND EXISTS (SELECT FROM workspace.projects AS p
                WHERE p.tenant_id = :tenant_id
                  AND p.id = :project_id
                  AND p.deleted_at IS NULL)
