-- Everything of 0014 in reverse order.

SET LOCAL lock_timeout = '3s';

SET LOCAL statement_timeout = '60s';

SET LOCAL ROLE quarry_owner;

DROP FUNCTION assistant.find_messages(uuid, tsquery, float8, uuid, integer);

DROP TRIGGER messages_audit_delete ON assistant.messages;

DROP TRIGGER messages_audit_update ON assistant.messages;

DROP TRIGGER messages_audit_insert ON assistant.messages;

DROP TRIGGER messages_touch ON assistant.messages;

DROP TRIGGER messages_keep ON assistant.messages;

DROP FUNCTION assistant.keep_message();
