-- Takes back what this database granted, then drops each role that no other database still uses.

SET LOCAL lock_timeout = '10s';

SET LOCAL statement_timeout = '60s';

DO $$
BEGIN
    IF to_regclass('public._yoyo_migration') IS NOT NULL THEN
        REVOKE SELECT ON TABLE public._yoyo_migration FROM quarry_owner, quarry_app, quarry_readonly, quarry_monitor, quarry_backup;
    END IF;
END
$$;

-- Only the extensions that live in our schema; RESTRICT keeps those that something else uses.
DROP EXTENSION IF EXISTS pg_trgm;

DROP EXTENSION IF EXISTS unaccent;

DROP SCHEMA IF EXISTS extensions;

DO $$
BEGIN
    EXECUTE format('REVOKE CREATE, TEMPORARY ON DATABASE %I FROM quarry_owner', current_database());
    EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO PUBLIC', current_database());
    EXECUTE format('REVOKE CONNECT ON DATABASE %I FROM quarry_owner, quarry_app, quarry_readonly, quarry_monitor, quarry_backup',
                   current_database());
END
$$;

-- Used elsewhere (2BP01), not ours to drop (42501), already dropped by the rollback of another
-- database (42704, XX000): each time the role stays or is gone, and both are right.
DO $$
DECLARE
    role_name text;
BEGIN
    FOREACH role_name IN ARRAY ARRAY['quarry_backup', 'quarry_monitor', 'quarry_readonly', 'quarry_app', 'quarry_owner'] LOOP
        BEGIN
            EXECUTE format('DROP ROLE IF EXISTS %I', role_name);
        EXCEPTION WHEN dependent_objects_still_exist OR insufficient_privilege
                    OR undefined_object OR object_in_use OR internal_error THEN
            RAISE NOTICE 'role % stays: %', role_name, SQLERRM;
        END;
    END LOOP;
END
$$;
