-- Everything of 0002 in reverse order.

SET LOCAL lock_timeout = '3s';

SET LOCAL statement_timeout = '60s';

SET LOCAL ROLE quarry_owner;

DROP TABLE core.settings;

DROP FUNCTION core.sweep_idempotency(integer);

DROP TABLE core.idempotency;

DROP FUNCTION core.find_tenant(text);

DROP FUNCTION core.find_key(uuid);

DROP TABLE core.api_keys;

DROP TABLE core.tenants;

DROP FUNCTION core.announce_tenant();

DROP FUNCTION core.announce_key();

DROP FUNCTION core.touch_version();

DROP FUNCTION core.touch();

DROP FUNCTION core.refuse_change(text, text);

DROP FUNCTION core.unaccent(text);

DROP FUNCTION core.current_tenant();

DROP SCHEMA core;

ALTER DEFAULT PRIVILEGES FOR ROLE quarry_owner GRANT EXECUTE ON FUNCTIONS TO PUBLIC;
