-- Leaves the choice of plans to PostgreSQL again.

SET LOCAL lock_timeout = '10s';

SET LOCAL statement_timeout = '60s';

DO $$
BEGIN
    EXECUTE format('ALTER ROLE quarry_app IN DATABASE %I RESET plan_cache_mode', current_database());
END
$$;
