-- Everything of 0016 in reverse order. What lies on the disk stays there.

SET LOCAL lock_timeout = '3s';

SET LOCAL statement_timeout = '60s';

SET LOCAL ROLE quarry_owner;

DROP FUNCTION assistant.redact(uuid, text, uuid[]);

DELETE FROM audit.personal_columns WHERE table_name = 'assistant.files';

DROP TABLE assistant.files;

DROP FUNCTION assistant.keep_file();
