-- Everything of 0015 in reverse order.

SET LOCAL lock_timeout = '3s';

SET LOCAL statement_timeout = '60s';

SET LOCAL ROLE quarry_owner;

DROP FUNCTION assistant.sweep_memories(integer);

DROP FUNCTION assistant.match_memories(uuid, text, integer);

DROP FUNCTION assistant.find_memories(uuid, text, text, integer, float8, uuid, integer);

DROP FUNCTION assistant.importance_weight(smallint);

DROP TABLE assistant.memories;

DROP FUNCTION assistant.check_conversation_user();
