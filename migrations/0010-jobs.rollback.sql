-- Everything of 0010 in reverse order. Jobs that wait are lost: let them end first.

SET LOCAL lock_timeout = '3s';

SET LOCAL statement_timeout = '60s';

SET LOCAL ROLE quarry_owner;

DROP TABLE ops.maintenance_runs;

DROP TABLE ops.jobs;

DROP FUNCTION ops.announce_job();

DROP FUNCTION ops.keep_job();

ALTER DEFAULT PRIVILEGES FOR ROLE quarry_owner IN SCHEMA ops REVOKE SELECT ON TABLES FROM quarry_readonly;

DROP SCHEMA ops;

SET LOCAL ROLE NONE;

-- As in 0001: used elsewhere, not ours to drop, or gone already, and each time all is right.
DO $$
BEGIN
    EXECUTE format('REVOKE CONNECT ON DATABASE %I FROM quarry_worker', current_database());
EXCEPTION WHEN insufficient_privilege OR undefined_object OR internal_error THEN
    RAISE NOTICE 'role quarry_worker keeps CONNECT: %', SQLERRM;
END
$$;

DO $$
BEGIN
    DROP ROLE quarry_worker;
EXCEPTION WHEN dependent_objects_still_exist OR insufficient_privilege
            OR undefined_object OR object_in_use OR internal_error THEN
    RAISE NOTICE 'role quarry_worker stays: %', SQLERRM;
END
$$;
