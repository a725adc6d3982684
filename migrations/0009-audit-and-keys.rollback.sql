-- Everything of 0009 in reverse order.

SET LOCAL lock_timeout = '3s';

SET LOCAL statement_timeout = '60s';

SET LOCAL ROLE quarry_owner;

DROP TRIGGER users_announce ON workspace.users;

DROP FUNCTION workspace.announce_user();

CREATE OR REPLACE FUNCTION core.find_key(key_id uuid)
    RETURNS TABLE (
        tenant_id uuid, secret_hash bytea, scopes text[], user_id uuid, project_ids uuid[],
        rate_limit integer, expires_at timestamptz, revoked_at timestamptz, tenant_disabled boolean)
    LANGUAGE sql STABLE SECURITY DEFINER ROWS 1
    SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT k.tenant_id, k.secret_hash, k.scopes, k.user_id, k.project_ids,
           k.rate_limit, k.expires_at, k.revoked_at, t.disabled_at IS NOT NULL
      FROM core.api_keys AS k
      JOIN core.tenants AS t ON t.id = k.tenant_id
     WHERE k.id = key_id;
END;

COMMENT ON FUNCTION core.find_key(uuid) IS 'What is needed to judge a key, whosever it is; no row when there is none.';

DO $$
BEGIN
    DROP INDEX audit.events_actor_idx;
    DROP INDEX audit.events_row_idx;
    CREATE INDEX events_row_idx ON audit.events (tenant_id, table_name, row_id, at);
END
$$;
