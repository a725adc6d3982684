-- Everything of 0017 in reverse order.

SET LOCAL lock_timeout = '3s';

SET LOCAL statement_timeout = '60s';

SET LOCAL ROLE quarry_owner;

DROP FUNCTION assistant.newest(integer);

DROP TRIGGER memories_renew_delete ON assistant.memories;

DROP TRIGGER memories_renew_update ON assistant.memories;

DROP TRIGGER memories_renew_insert ON assistant.memories;

DROP TABLE assistant.memory_generations;

DROP FUNCTION assistant.renew_memory_generation();
