-- name: exports.complete :affected
-- The file is on the disk, whole: from now on it can be downloaded, for so many seconds.
-- param: export_id uuid
-- param: manifest jsonb
-- param: file_name text
-- param: file_size bigint
-- param: file_sha256 bytea
-- param: seconds float8
UPDATE workspace.exports AS e
   SET status = 'completed', manifest = :manifest, file_name = :file_name, file_size = :file_size,
       file_sha256 = :file_sha256, completed_at = clock_timestamp(),
       expires_at = clock_timestamp() + make_interval(secs => :seconds)
 WHERE e.tenant_id = :tenant_id
   AND e.id = :export_id
   AND e.status = 'running'
