-- name: tenants.list :many
-- All tenants with the number of their usable keys. Operator only.
-- null: disabled_at
-- allow: tenant_predicate an operator looks at all tenants
-- allow: seq_scan all keys are counted
-- budget: 2000 buffers
SELECT t.id, t.name, t.created_at, t.disabled_at, count(k.id) AS keys
  FROM core.tenants AS t
  LEFT JOIN core.api_keys AS k
    ON k.tenant_id = t.id AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now())
 GROUP BY t.id
 ORDER BY t.name
