-- name: keys.find :one
-- What is needed to judge an API key, whosever it is: asked before a tenant is known.
-- param: key_id uuid
-- null: tenant_id, secret_hash, scopes, user_id, project_ids, rate_limit, expires_at, revoked_at, tenant_disabled
SELECT k.tenant_id, k.secret_hash, k.scopes, k.user_id, k.project_ids, k.rate_limit, k.expires_at,
       k.revoked_at, k.tenant_disabled
  FROM core.find_key(:key_id) AS k
