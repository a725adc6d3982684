-- name: files.create :one
-- A new file of a live user; no row when there is no such user, or the user has this content. The
-- user's row is locked, so that nothing is made beside an erasure of the user.
-- param: user_id uuid
-- param: conversation_id uuid?   of the same user
-- param: original_name text
-- param: stored_name text?       on our disk; absent: stored elsewhere
-- param: mime_type text
-- param: size bigint
-- param: sha256 bytea?
-- param: path text
-- param: analysis jsonb?
-- null: conversation_id, stored_name, sha256, analysis, error, processed_at
-- budget: 50 buffers
INSERT INTO assistant.files AS f (
       tenant_id, user_id, conversation_id, original_name, stored_name, mime_type, size, sha256, path, analysis)
SELECT :tenant_id, u.id, :conversation_id, :original_name, :stored_name, :mime_type, :size, :sha256, :path, :analysis
  FROM workspace.users AS u
 WHERE u.tenant_id = :tenant_id
   AND u.id = :user_id
   AND u.deleted_at IS NULL
   FOR SHARE OF u
    ON CONFLICT (tenant_id, user_id, sha256) WHERE deleted_at IS NULL AND sha256 IS NOT NULL DO NOTHING
RETURNING f.id, f.user_id, f.conversation_id, f.original_name, f.stored_name, f.mime_type, f.size,
          encode(f.sha256, 'hex') AS sha256, f.path, f.analysis, f.status, f.error, f.processed_at,
          f.created_at, f.updated_at
