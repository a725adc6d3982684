-- depends: 0008-executions
-- The audit trail can be read by row and by actor; keys of deleted users are refused.

SET LOCAL lock_timeout = '3s';

SET LOCAL statement_timeout = '60s';

SET LOCAL ROLE quarry_owner;

-- ---------------------------------------------------------------------------------------------
-- Reading the trail

-- A partitioned table takes no CREATE INDEX CONCURRENTLY, so writers wait while this builds: about
-- seven seconds per million events. Where the trail is longer than that allows, build the same two
-- indexes on each partition first, CONCURRENTLY and by hand; this file then only attaches them.
--
-- The row's index has no table in it any more: ids are unique without, and a list that names no
-- table must find its row as well. Each index ends in the order of the lists, read backwards.
DO $$
BEGIN
    DROP INDEX audit.events_row_idx;
    CREATE INDEX events_row_idx ON audit.events (tenant_id, row_id, at, id);
    CREATE INDEX events_actor_idx ON audit.events (tenant_id, actor, at, id);
END
$$;

-- ---------------------------------------------------------------------------------------------
-- Keys that act as a user end with the user

CREATE OR REPLACE FUNCTION core.find_key(key_id uuid)
    RETURNS TABLE (
        tenant_id uuid, secret_hash bytea, scopes text[], user_id uuid, project_ids uuid[],
        rate_limit integer, expires_at timestamptz, revoked_at timestamptz, tenant_disabled boolean)
    LANGUAGE sql STABLE SECURITY DEFINER ROWS 1
    SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT k.tenant_id, k.secret_hash, k.scopes, k.user_id, k.project_ids,
           k.rate_limit, k.expires_at, coalesce(k.revoked_at, u.deleted_at), t.disabled_at IS NOT NULL
      FROM core.api_keys AS k
      JOIN core.tenants AS t ON t.id = k.tenant_id
      LEFT JOIN workspace.users AS u ON u.tenant_id = k.tenant_id AND u.id = k.user_id
     WHERE k.id = key_id;
END;

COMMENT ON FUNCTION core.find_key(uuid) IS 'What is needed to judge a key, whosever it is; no row when there is none. A deleted user''s key counts as revoked.';

-- Every process keeps callers for a while, keys and tokens alike: those of the tenant are looked up
-- again.
CREATE FUNCTION workspace.announce_user() RETURNS trigger
    LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM pg_notify('quarry_keys', 'tenant:' || NEW.tenant_id::text);
    RETURN NULL;
END
$$;

COMMENT ON FUNCTION workspace.announce_user() IS 'Tells channel quarry_keys that a user was deleted: all callers of the tenant must be looked up again.';

CREATE TRIGGER users_announce
    AFTER UPDATE OF deleted_at ON workspace.users
    FOR EACH ROW WHEN (OLD.deleted_at IS DISTINCT FROM NEW.deleted_at)
    EXECUTE FUNCTION workspace.announce_user();
