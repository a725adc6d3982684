-- name: keys.add :one
-- A new API key; only the hash of its secret is stored. Operator only.
-- param: id uuid
-- param: secret_hash bytea     SHA-256 of the secret
-- param: name text
-- param: scopes text[]
-- param: user_id uuid?
-- param: project_ids uuid[]?
-- param: rate_limit int?       requests per second
-- param: expires_at timestamptz?
-- null: expires_at
-- budget: 20 buffers
INSERT INTO core.api_keys AS k (
       tenant_id, id, secret_hash, name, scopes, user_id, project_ids, rate_limit, expires_at)
VALUES (:tenant_id, :id, :secret_hash, :name, :scopes, :user_id, :project_ids, :rate_limit, :expires_at)
RETURNING k.id, k.name, k.scopes, k.expires_at
