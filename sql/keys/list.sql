-- name: keys.list :many
-- All keys with their tenants, newest first; never a secret. Operator only. A key that acts as a
-- deleted user is revoked since then.
-- param: tenant text?
-- null: user_id, project_ids, rate_limit, expires_at, revoked_at
-- allow: tenant_predicate an operator looks at all tenants
-- budget: 200000 buffers
SELECT k.id, t.name AS tenant, k.name, k.scopes, k.user_id, k.project_ids, k.rate_limit,
       k.created_at, k.expires_at, coalesce(k.revoked_at, u.deleted_at) AS revoked_at
  FROM core.api_keys AS k
  JOIN core.tenants AS t ON t.id = k.tenant_id
  LEFT JOIN workspace.users AS u ON u.tenant_id = k.tenant_id AND u.id = k.user_id
 WHERE :tenant::text IS NULL
    OR t.name = :tenant
 ORDER BY k.created_at DESC, k.id DESC
