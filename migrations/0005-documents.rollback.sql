-- Everything of 0005 in reverse order.

SET LOCAL lock_timeout = '3s';

SET LOCAL statement_timeout = '60s';

SET LOCAL ROLE quarry_owner;

DROP TABLE workspace.document_versions;

DROP FUNCTION workspace.touch_document();

DROP FUNCTION workspace.keep_document();

DROP FUNCTION workspace.complete_document();

DROP TABLE workspace.document_counters;

DROP FUNCTION workspace.keep_counting();

DROP FUNCTION workspace.search_vector(regconfig, text);

DROP FUNCTION workspace.text_search_config(text);

DO $$
DECLARE
    config_name text;
BEGIN
    FOR config_name IN
        SELECT c.cfgname
          FROM pg_catalog.pg_ts_config AS c
         WHERE c.cfgnamespace = 'workspace'::regnamespace
    LOOP
        EXECUTE format('DROP TEXT SEARCH CONFIGURATION workspace.%I', config_name);
    END LOOP;
END
$$;
