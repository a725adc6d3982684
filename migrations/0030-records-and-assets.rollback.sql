-- Everything of 0030 in reverse order. Imports stay without their rows.

SET LOCAL lock_timeout = '3s';

SET LOCAL statement_timeout = '60s';

SET LOCAL ROLE quarry_owner;

DROP TABLE discovery.asset_conflicts;

DROP FUNCTION discovery.keep_asset_conflicts();

DROP TABLE discovery.asset_dependencies;

ALTER TABLE discovery.raw_records DROP CONSTRAINT raw_records_asset_fkey;

DROP TABLE discovery.assets;

DROP FUNCTION discovery.keep_assets();

DROP TABLE discovery.raw_records;

DROP FUNCTION discovery.keep_raw();
