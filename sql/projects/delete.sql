-- name: projects.delete :affected
-- Deletes a project softly, if it still has the expected version. What is below it becomes
-- unreachable and comes back with projects.restore.
-- param: project_id uuid
-- param: expected_version bigint?   any version when absent (If-Match: *)
-- budget: 50 buffers
UPDATE workspace.projects AS p
   SET deleted_at = clock_timestamp()
 WHERE p.tenant_id = :tenant_id
   AND p.id = :project_id
   AND p.deleted_at IS NULL
   AND (:expected_version::bigint IS NULL OR p.version = :expected_version)
