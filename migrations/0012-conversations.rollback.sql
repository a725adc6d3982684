-- Everything of 0012 in reverse order.

SET LOCAL lock_timeout = '3s';

SET LOCAL statement_timeout = '60s';

SET LOCAL ROLE quarry_owner;

DELETE FROM audit.personal_columns WHERE table_name = 'assistant.conversations';

DROP TABLE assistant.conversations;

DROP DOMAIN assistant.conversation_seq;

DROP DOMAIN assistant.conversation_message_count;

DROP DOMAIN assistant.conversation_metadata;

DROP DOMAIN assistant.conversation_tags;

DROP DOMAIN assistant.conversation_template;

DROP DOMAIN assistant.conversation_title;

DROP FUNCTION assistant.keep_conversation();

DROP FUNCTION assistant.tags_fit(text[]);

DROP EXTENSION btree_gin;

ALTER DEFAULT PRIVILEGES FOR ROLE quarry_owner IN SCHEMA assistant REVOKE SELECT ON TABLES FROM quarry_readonly;

DROP SCHEMA assistant;
