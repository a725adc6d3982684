-- depends: 0001-roles
-- Tenants, API keys, idempotency keys, settings, and the trigger functions that all tables share.

SET LOCAL lock_timeout = '3s';

SET LOCAL statement_timeout = '60s';

SET LOCAL ROLE quarry_owner;

-- PostgreSQL lets PUBLIC execute every new function. Here each one is granted by name: a function
-- that runs with the owner's rights must never be callable because somebody forgot to revoke.
ALTER DEFAULT PRIVILEGES FOR ROLE quarry_owner REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;

CREATE SCHEMA core;

COMMENT ON SCHEMA core IS 'Tenants, keys, idempotency, settings: what every part of the service needs.';

GRANT USAGE ON SCHEMA core TO quarry_app, quarry_readonly, quarry_backup;

-- ---------------------------------------------------------------------------------------------
-- Functions

-- The tenant of the running transaction, NULL outside of one. Policies do not call it: they carry
-- the expression itself inside a sub-select, which the planner makes one InitPlan per statement
-- and may use as an index condition; a function would be asked per row.
CREATE FUNCTION core.current_tenant() RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN nullif(current_setting('app.tenant_id', true), '')::uuid;

COMMENT ON FUNCTION core.current_tenant() IS 'Tenant of this transaction (setting app.tenant_id), NULL when none is set.';

-- extensions.unaccent(text) is only STABLE because it looks its dictionary up by name. Naming the
-- dictionary makes the result depend on the argument alone, so an index may be built on it.
-- After a change of the unaccent rules such indexes must be rebuilt.
CREATE FUNCTION core.unaccent(value text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN extensions.unaccent('extensions.unaccent'::regdictionary, value);

COMMENT ON FUNCTION core.unaccent(text) IS 'Text without accents; IMMUTABLE, so usable in indexes.';

-- Errors of these triggers look like a failed CHECK, with a constraint name, so that clients map
-- them to a field the same way.
CREATE FUNCTION core.refuse_change(table_name text, column_name text) RETURNS void
    LANGUAGE plpgsql
AS $$
BEGIN
    RAISE EXCEPTION 'column "%" of "%" never changes after creation', column_name, table_name
        USING ERRCODE = 'check_violation',
              CONSTRAINT = table_name || '_' || column_name || '_immutable',
              TABLE = table_name, COLUMN = column_name;
END
$$;

COMMENT ON FUNCTION core.refuse_change(text, text) IS 'Raises 23514 with the constraint <table>_<column>_immutable.';

-- clock_timestamp(), not now(): the trigger runs while it holds the row's lock, so the times of one
-- row never run backwards, even when the transaction that began first is the one to write last.
CREATE FUNCTION core.touch() RETURNS trigger
    LANGUAGE plpgsql
AS $$
BEGIN
    IF NEW.id <> OLD.id THEN
        PERFORM core.refuse_change(TG_TABLE_NAME, 'id');
    ELSIF NEW.tenant_id <> OLD.tenant_id THEN
        PERFORM core.refuse_change(TG_TABLE_NAME, 'tenant_id');
    ELSIF NEW.created_at IS DISTINCT FROM OLD.created_at THEN
        PERFORM core.refuse_change(TG_TABLE_NAME, 'created_at');
    END IF;
    NEW.updated_at := clock_timestamp();
    RETURN NEW;
END
$$;

COMMENT ON FUNCTION core.touch() IS 'BEFORE UPDATE: keeps updated_at; id, tenant_id and created_at cannot change.';

CREATE FUNCTION core.touch_version() RETURNS trigger
    LANGUAGE plpgsql
AS $$
BEGIN
    IF NEW.id <> OLD.id THEN
        PERFORM core.refuse_change(TG_TABLE_NAME, 'id');
    ELSIF NEW.tenant_id <> OLD.tenant_id THEN
        PERFORM core.refuse_change(TG_TABLE_NAME, 'tenant_id');
    ELSIF NEW.created_at IS DISTINCT FROM OLD.created_at THEN
        PERFORM core.refuse_change(TG_TABLE_NAME, 'created_at');
    END IF;
    NEW.updated_at := clock_timestamp();
    NEW.version := OLD.version + 1;
    RETURN NEW;
END
$$;

COMMENT ON FUNCTION core.touch_version() IS 'As core.touch(), and counts version up by one: the ETag.';

-- ---------------------------------------------------------------------------------------------
-- Tenants

CREATE TABLE core.tenants (
    id uuid NOT NULL DEFAULT uuidv7(),
    name text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    disabled_at timestamptz,
    CONSTRAINT tenants_pkey PRIMARY KEY (id),
    CONSTRAINT tenants_name_key UNIQUE (name),
    CONSTRAINT tenants_name_shape CHECK (name ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
    CONSTRAINT tenants_name_no_id CHECK (name !~ '^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$')
);

COMMENT ON TABLE core.tenants IS 'Organisations. The row everything else belongs to.';

COMMENT ON COLUMN core.tenants.id IS 'Carried by every row of the tenant.';

COMMENT ON COLUMN core.tenants.name IS 'Slug: lower-case letters, digits, hyphens; 1 to 63 characters, as in a host name; never like an id.';

COMMENT ON COLUMN core.tenants.created_at IS 'When the tenant was made.';

COMMENT ON COLUMN core.tenants.disabled_at IS 'Since when its keys are refused; NULL while it is active.';

-- ---------------------------------------------------------------------------------------------
-- API keys

-- The secret has 256 random bits, so one round of SHA-256 is enough: there is no dictionary to try,
-- and a slow hash would be paid on each first use in each process.
CREATE TABLE core.api_keys (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL DEFAULT uuidv7(),
    secret_hash bytea NOT NULL,
    name text NOT NULL DEFAULT '',
    scopes text[] NOT NULL,
    user_id uuid,
    project_ids uuid[],
    rate_limit integer,
    expires_at timestamptz,
    revoked_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz,
    CONSTRAINT api_keys_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT api_keys_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES core.tenants (id) ON DELETE CASCADE,
    CONSTRAINT api_keys_id_key UNIQUE (id),
    CONSTRAINT api_keys_secret_hash_length CHECK (octet_length(secret_hash) = 32),
    CONSTRAINT api_keys_name_length CHECK (char_length(name) <= 255),
    CONSTRAINT api_keys_scopes_known CHECK (
        cardinality(scopes) >= 1 AND scopes <@ ARRAY[
            '*', 'admin', 'audit',
            'projects:*', 'projects:read', 'projects:write', 'cases:*', 'cases:read', 'cases:write',
            'discovery:*', 'discovery:read', 'discovery:write', 'assistant:*', 'assistant:read', 'assistant:write'
        ]),
    CONSTRAINT api_keys_project_ids_size CHECK (cardinality(project_ids) <= 1000),
    CONSTRAINT api_keys_rate_limit_positive CHECK (rate_limit > 0)
) WITH (fillfactor = 80);

-- For the foreign key to workspace.users, which comes with that table.
CREATE INDEX api_keys_user_idx ON core.api_keys (tenant_id, user_id) WHERE user_id IS NOT NULL;

COMMENT ON TABLE core.api_keys IS 'API keys (qk_<id>_<secret>). Only a hash of the secret is kept.';

COMMENT ON COLUMN core.api_keys.tenant_id IS 'The tenant that the key speaks for.';

COMMENT ON COLUMN core.api_keys.id IS 'The public half of the key; unique over all tenants, because it is looked up before a tenant is known.';

COMMENT ON COLUMN core.api_keys.secret_hash IS 'SHA-256 of the 256-bit random secret.';

COMMENT ON COLUMN core.api_keys.name IS 'What people call it.';

COMMENT ON COLUMN core.api_keys.scopes IS 'What the key may do; * is all.';

COMMENT ON COLUMN core.api_keys.user_id IS 'The user that the key acts as, who then sees only projects of which he is a member; NULL: the whole tenant.';

COMMENT ON COLUMN core.api_keys.project_ids IS 'The only projects that the key sees; NULL: all.';

COMMENT ON COLUMN core.api_keys.rate_limit IS 'Requests per second; NULL: the service''s default.';

COMMENT ON COLUMN core.api_keys.expires_at IS 'From when the key is refused; NULL: never.';

COMMENT ON COLUMN core.api_keys.revoked_at IS 'Since when the key is refused; NULL while it is good.';

COMMENT ON COLUMN core.api_keys.created_at IS 'When the key was made.';

COMMENT ON COLUMN core.api_keys.last_used_at IS 'A recent use, written at most once in a while; NULL: never used.';

-- The one way to a key before a tenant is known. It runs as the owner, so its search path is
-- pinned, and it takes a whole id: keys cannot be listed with it.
CREATE FUNCTION core.find_key(key_id uuid)
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

-- A token names its tenant by id or by slug. Definer's rights, because no tenant is known yet.
CREATE FUNCTION core.find_tenant(tenant text) RETURNS uuid
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT t.id
      FROM core.tenants AS t
     WHERE (t.name = tenant
            OR t.id = CASE WHEN tenant ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN tenant::uuid END)
       AND t.disabled_at IS NULL;
END;

COMMENT ON FUNCTION core.find_tenant(text) IS 'The id of the active tenant with this id or name; NULL when there is none.';

-- Every process keeps the keys that it saw and listens here, so that a revoked key stops working
-- at once everywhere. A use of the key is no news, hence the column list.
CREATE FUNCTION core.announce_key() RETURNS trigger
    LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM pg_notify('quarry_keys', OLD.id::text);
    RETURN NULL;
END
$$;

COMMENT ON FUNCTION core.announce_key() IS 'Tells channel quarry_keys the id of a key that changed or went.';

CREATE TRIGGER api_keys_announce_update
    AFTER UPDATE OF secret_hash, scopes, user_id, project_ids, rate_limit, expires_at, revoked_at ON core.api_keys
    FOR EACH ROW EXECUTE FUNCTION core.announce_key();

CREATE TRIGGER api_keys_announce_delete
    AFTER DELETE ON core.api_keys
    FOR EACH ROW EXECUTE FUNCTION core.announce_key();

CREATE FUNCTION core.announce_tenant() RETURNS trigger
    LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM pg_notify('quarry_keys', 'tenant:' || OLD.id::text);
    RETURN NULL;
END
$$;

COMMENT ON FUNCTION core.announce_tenant() IS 'Tells channel quarry_keys that all keys of a tenant must be looked up again.';

CREATE TRIGGER tenants_announce
    AFTER UPDATE OF disabled_at ON core.tenants
    FOR EACH ROW WHEN (OLD.disabled_at IS DISTINCT FROM NEW.disabled_at)
    EXECUTE FUNCTION core.announce_tenant();

-- ---------------------------------------------------------------------------------------------
-- Idempotency keys

-- The row and the work are one transaction: a key whose work was rolled back was never seen.
-- While the first request runs its row is locked, which is how a second one learns of it.
CREATE TABLE core.idempotency (
    tenant_id uuid NOT NULL,
    actor text NOT NULL,
    key text NOT NULL,
    request_hash bytea NOT NULL,
    status integer,
    headers jsonb,
    body bytea,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL DEFAULT now() + interval '24 hours',
    CONSTRAINT idempotency_pkey PRIMARY KEY (tenant_id, actor, key),
    CONSTRAINT idempotency_actor_length CHECK (char_length(actor) BETWEEN 1 AND 255),
    CONSTRAINT idempotency_key_length CHECK (char_length(key) BETWEEN 1 AND 255),
    CONSTRAINT idempotency_request_hash_length CHECK (octet_length(request_hash) = 32),
    CONSTRAINT idempotency_status_range CHECK (status BETWEEN 100 AND 599),
    CONSTRAINT idempotency_headers_shape CHECK (jsonb_typeof(headers) IN ('object', 'array'))
) WITH (fillfactor = 80);

-- Serves the sweeper alone, which works over all tenants.
CREATE INDEX idempotency_expires_at_idx ON core.idempotency (expires_at);

COMMENT ON TABLE core.idempotency IS 'Answers to POST requests that carried an Idempotency-Key, to be given again.';

COMMENT ON COLUMN core.idempotency.tenant_id IS 'The tenant that asked.';

COMMENT ON COLUMN core.idempotency.actor IS 'Who asked (key:<id> or sub:<subject>): two callers may use the same key.';

COMMENT ON COLUMN core.idempotency.key IS 'The Idempotency-Key, 1 to 255 characters.';

COMMENT ON COLUMN core.idempotency.request_hash IS 'SHA-256 of method, path and body: the same key with another request is refused.';

COMMENT ON COLUMN core.idempotency.status IS 'Status of the answer; NULL while the work runs.';

COMMENT ON COLUMN core.idempotency.headers IS 'Headers of the answer that are given again.';

COMMENT ON COLUMN core.idempotency.body IS 'Body of the answer, byte for byte.';

COMMENT ON COLUMN core.idempotency.created_at IS 'When the key was first seen.';

COMMENT ON COLUMN core.idempotency.expires_at IS 'From when the key may be used anew.';

-- The sweeper has no tenant, and without one the service sees no row. In batches, so that no
-- statement of it runs long; rows that are in use are passed by.
CREATE FUNCTION core.sweep_idempotency(batch integer DEFAULT 1000) RETURNS bigint
    LANGUAGE sql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH expired AS (
        SELECT i.tenant_id, i.actor, i.key
          FROM core.idempotency AS i
         WHERE i.expires_at < now()
         ORDER BY i.expires_at
         LIMIT batch
           FOR UPDATE SKIP LOCKED
    ), swept AS (
        DELETE FROM core.idempotency AS i
         USING expired AS e
         WHERE i.tenant_id = e.tenant_id AND i.actor = e.actor AND i.key = e.key
        RETURNING 1
    )
    SELECT count(*) FROM swept;
END;

COMMENT ON FUNCTION core.sweep_idempotency(integer) IS 'Deletes up to batch expired keys of all tenants; answers how many.';

-- ---------------------------------------------------------------------------------------------
-- Settings

CREATE TABLE core.settings (
    name text NOT NULL,
    value jsonb NOT NULL,
    CONSTRAINT settings_pkey PRIMARY KEY (name),
    CONSTRAINT settings_name_shape CHECK (name ~ '^[a-z][a-z0-9_.]{0,99}$')
);

COMMENT ON TABLE core.settings IS 'Facts about this installation that the service needs before it knows a tenant.';

COMMENT ON COLUMN core.settings.name IS 'Lower-case, dotted.';

COMMENT ON COLUMN core.settings.value IS 'Any JSON.';

-- ---------------------------------------------------------------------------------------------
-- Row-level security: FORCE, because the owner would otherwise be exempt. The owner's own policy
-- lets data migrations work; it owns no login.

ALTER TABLE core.tenants ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY tenants_tenant ON core.tenants TO quarry_app, quarry_readonly
    USING (id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));

CREATE POLICY tenants_owner ON core.tenants TO quarry_owner USING (true) WITH CHECK (true);

ALTER TABLE core.api_keys ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY api_keys_tenant ON core.api_keys TO quarry_app, quarry_readonly
    USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid))
    WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));

CREATE POLICY api_keys_owner ON core.api_keys TO quarry_owner USING (true) WITH CHECK (true);

ALTER TABLE core.idempotency ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY idempotency_tenant ON core.idempotency TO quarry_app, quarry_readonly
    USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid))
    WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));

CREATE POLICY idempotency_owner ON core.idempotency TO quarry_owner USING (true) WITH CHECK (true);

-- ---------------------------------------------------------------------------------------------
-- Privileges. Keys and tenants are made by the operator, never by the service; nobody but the
-- owner and find_key() reads a secret's hash.

GRANT SELECT ON core.tenants, core.settings TO quarry_app, quarry_readonly;

GRANT SELECT (tenant_id, id, name, scopes, user_id, project_ids, rate_limit, expires_at, revoked_at, created_at, last_used_at)
    ON core.api_keys TO quarry_app, quarry_readonly;

GRANT UPDATE (last_used_at) ON core.api_keys TO quarry_app;

GRANT SELECT, INSERT, UPDATE, DELETE ON core.idempotency TO quarry_app;

GRANT EXECUTE ON FUNCTION core.find_key(uuid), core.find_tenant(text), core.sweep_idempotency(integer) TO quarry_app;

GRANT EXECUTE ON FUNCTION core.current_tenant(), core.unaccent(text) TO quarry_app, quarry_readonly, quarry_backup;

-- Called by the trigger functions with the rights of whoever writes.
GRANT EXECUTE ON FUNCTION core.refuse_change(text, text) TO quarry_app;
