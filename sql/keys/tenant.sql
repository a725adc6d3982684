-- name: keys.tenant :value
-- The id of the active tenant that a token names by id or by name.
-- param: tenant text
SELECT core.find_tenant(:tenant)
