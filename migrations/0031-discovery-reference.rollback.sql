-- Everything of 0031 in reverse order.

SET LOCAL lock_timeout = '3s';

SET LOCAL statement_timeout = '60s';

SET LOCAL ROLE quarry_owner;

DROP TABLE discovery.os_end_of_life;

DROP TABLE discovery.type_synonyms;

DROP FUNCTION discovery.plain(text);
