-- depends: 0005-documents
-- One plan per query: the service's role runs each prepared statement with its generic plan.
--
-- Left to itself PostgreSQL plans a statement anew at every call for as long as it believes that
-- knowing the values pays, and a list with LIMIT :limit always looks so. Planning projects.list
-- cost as much as running it. It would also change its mind later, at a moment that nobody chose.
-- With this setting the plan that EXPLAIN (GENERIC_PLAN) shows is the plan that runs. It lies on the
-- role in this database, so it holds through PgBouncer too.

SET LOCAL lock_timeout = '10s';

SET LOCAL statement_timeout = '60s';

DO $$
BEGIN
    EXECUTE format('ALTER ROLE quarry_app IN DATABASE %I SET plan_cache_mode = force_generic_plan', current_database());
END
$$;
