-- Roles, their settings, and the extensions.
--
-- Roles belong to the whole cluster, everything else to this database. So this file must be safe
-- when the roles exist already, and when the migration of a second database creates them at the
-- same moment: whoever loses a race finds the work done and goes on.
--
-- Needs: the owner of this database (or a superuser) with CREATEROLE. What only a superuser may
-- give (BYPASSRLS, REPLICATION, pg_monitor) is left out with a warning that says what to run.

SET LOCAL lock_timeout = '10s';

SET LOCAL statement_timeout = '60s';

-- CONNECT is granted although PUBLIC has it: the grant ties the role to this database, and a role
-- that any database of the cluster still uses cannot be dropped by the rollback in another one.
-- 42704 is "the rollback elsewhere was faster", XX000 is "tuple concurrently updated".
DO $$
DECLARE
    wanted record;
BEGIN
    FOR wanted IN
        SELECT w.name, w.attributes
          FROM (VALUES ('quarry_owner', 'NOLOGIN'),
                       ('quarry_app', 'LOGIN'),
                       ('quarry_readonly', 'LOGIN'),
                       ('quarry_monitor', 'LOGIN'),
                       ('quarry_backup', 'LOGIN')) AS w (name, attributes)
    LOOP
        FOR attempt IN 1 .. 20 LOOP
            BEGIN
                IF to_regrole(wanted.name) IS NULL THEN
                    EXECUTE format('CREATE ROLE %I %s', wanted.name, wanted.attributes);
                END IF;
                EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), wanted.name);
                EXIT;
            EXCEPTION WHEN duplicate_object OR unique_violation OR undefined_object OR internal_error THEN
                IF attempt = 20 THEN
                    RAISE;
                END IF;
            END;
        END LOOP;
    END LOOP;
END
$$;

-- Settings that hold from the first statement of every session, also through PgBouncer, which
-- refuses them as start-up parameters. A limit that a session may raise is still right: it stops
-- accidents, privileges stop intent. jit costs more than it gives on statements of milliseconds.
-- The search path holds no schema of ours: names in queries are qualified, and a function that is
-- planted elsewhere is never picked up. Only the extensions' operators are found without a name.
DO $$
DECLARE
    wanted record;
BEGIN
    FOR wanted IN
        SELECT w.role_name, s.setting, s.value
          FROM (VALUES ('quarry_app', '30s', '5s', '60s'),
                       ('quarry_readonly', '60s', '5s', '60s'),
                       ('quarry_monitor', '10s', '1s', '10s'),
                       ('quarry_backup', '0', '60s', '0')) AS w (role_name, statement, lock, idle)
         CROSS JOIN LATERAL
               (VALUES ('timezone', 'UTC'),
                       ('jit', 'off'),
                       ('search_path', 'pg_catalog, extensions, pg_temp'),
                       ('statement_timeout', w.statement),
                       ('lock_timeout', w.lock),
                       ('idle_in_transaction_session_timeout', w.idle)) AS s (setting, value)
         UNION ALL
        SELECT 'quarry_readonly', 'default_transaction_read_only', 'on'
    LOOP
        FOR attempt IN 1 .. 20 LOOP
            EXIT WHEN EXISTS (SELECT FROM pg_catalog.pg_db_role_setting AS r
                               WHERE r.setdatabase = 0
                                 AND r.setrole = to_regrole(wanted.role_name)
                                 AND lower(wanted.setting) || '=' || wanted.value IN
                                     (SELECT lower(split_part(c, '=', 1)) || '=' || substr(c, strpos(c, '=') + 1)
                                        FROM unnest(r.setconfig) AS c));
            BEGIN
                -- search_path is a list: quoted as a whole it would be one schema with commas in it.
                EXECUTE format(CASE wanted.setting WHEN 'search_path' THEN 'ALTER ROLE %I SET %s = %s'
                                                   ELSE 'ALTER ROLE %I SET %s = %L' END,
                               wanted.role_name, wanted.setting, wanted.value);
                EXIT;
            EXCEPTION WHEN internal_error OR unique_violation THEN
                IF attempt = 20 THEN
                    RAISE;
                END IF;
            END;
        END LOOP;
    END LOOP;
END
$$;

-- Memberships and attributes beyond CREATEROLE. The backup role reads past row-level security,
-- because a dump with holes in it is worse than none, and it streams WAL.
DO $$
DECLARE
    wanted record;
BEGIN
    FOR wanted IN
        SELECT w.done, w.command
          FROM (VALUES
                (pg_has_role('quarry_monitor', 'pg_monitor', 'USAGE'),
                 'GRANT pg_monitor TO quarry_monitor'),
                (pg_has_role('quarry_backup', 'pg_read_all_data', 'USAGE'),
                 'GRANT pg_read_all_data TO quarry_backup'),
                ((SELECT r.rolbypassrls AND r.rolreplication FROM pg_catalog.pg_roles AS r WHERE r.rolname = 'quarry_backup'),
                 'ALTER ROLE quarry_backup BYPASSRLS REPLICATION'),
                ((SELECT r.rolsuper FROM pg_catalog.pg_roles AS r WHERE r.rolname = session_user)
                 OR pg_has_role(session_user, 'quarry_owner', 'SET'),
                 format('GRANT quarry_owner TO %I WITH SET TRUE, INHERIT TRUE', session_user))
               ) AS w (done, command)
    LOOP
        CONTINUE WHEN wanted.done;
        FOR attempt IN 1 .. 20 LOOP
            BEGIN
                EXECUTE wanted.command;
                EXIT;
            EXCEPTION
                WHEN internal_error OR unique_violation THEN
                    IF attempt = 20 THEN
                        RAISE;
                    END IF;
                WHEN insufficient_privilege THEN
                    RAISE WARNING 'not allowed here, let a superuser run: %', wanted.command;
                    EXIT;
            END;
        END LOOP;
    END LOOP;
END
$$;

-- The owner makes the schemas. Temporary tables are for nobody: the service leaves no session
-- state behind, and they are the one kind of DDL that PUBLIC may do.
DO $$
BEGIN
    EXECUTE format('GRANT CREATE ON DATABASE %I TO quarry_owner', current_database());
    EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO quarry_owner', current_database());
END
$$;

-- Extensions live in a schema of their own, so that a search path can name them alone. Both are
-- trusted: CREATE on the database is enough.
CREATE SCHEMA IF NOT EXISTS extensions;

COMMENT ON SCHEMA extensions IS 'Extensions, apart from everything that is ours.';

CREATE EXTENSION IF NOT EXISTS unaccent WITH SCHEMA extensions;

CREATE EXTENSION IF NOT EXISTS pg_trgm WITH SCHEMA extensions;

GRANT USAGE ON SCHEMA extensions TO quarry_owner WITH GRANT OPTION;

GRANT USAGE ON SCHEMA extensions TO quarry_app, quarry_readonly, quarry_backup;

-- The service compares the schema's version with the one it knows, so it may read yoyo's table.
DO $$
BEGIN
    IF to_regclass('public._yoyo_migration') IS NOT NULL THEN
        GRANT SELECT ON TABLE public._yoyo_migration TO quarry_owner, quarry_app, quarry_readonly, quarry_monitor, quarry_backup;
    END IF;
END
$$;
