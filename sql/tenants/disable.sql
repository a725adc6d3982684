-- name: tenants.disable :affected
-- Refuses every key of a tenant from now on, or lets them in again. Operator only.
-- param: name text
-- param: disabled boolean
UPDATE core.tenants AS t
   SET disabled_at = CASE WHEN :disabled::boolean THEN now() END
 WHERE t.name = :name
   AND (t.disabled_at IS NULL) = :disabled
