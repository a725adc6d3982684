-- name: operator.identify :value
-- Who works at the command line, and for which tenant: for the audit trail. Transaction-local.
-- param: actor text
-- param: tenant text?
-- route: primary
SELECT concat_ws(' ', set_config('app.actor', :actor, true),
                 set_config('app.tenant_id', coalesce(:tenant, ''), true))
