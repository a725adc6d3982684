-- Everything of 0003 in reverse order. The trail itself is lost: dump it first if it matters.

SET LOCAL lock_timeout = '3s';

SET LOCAL statement_timeout = '60s';

SET LOCAL ROLE quarry_owner;

DROP TRIGGER api_keys_audit_delete ON core.api_keys;

DROP TRIGGER api_keys_audit_update ON core.api_keys;

DROP TRIGGER api_keys_audit_insert ON core.api_keys;

DROP FUNCTION audit.erased(jsonb, text[]);

DROP FUNCTION audit.redact(text, uuid);

DROP TABLE audit.personal_columns;

DROP FUNCTION audit.record();

DROP FUNCTION audit.changes(jsonb, jsonb);

DROP FUNCTION audit.ensure_partitions(integer);

DROP TABLE audit.events;

DROP SCHEMA audit;
