-- Everything of 0013 in reverse order. The conversations stay, empty.

SET LOCAL lock_timeout = '3s';

SET LOCAL statement_timeout = '60s';

SET LOCAL ROLE quarry_owner;

DROP TRIGGER conversations_message_count_changed ON assistant.conversations;

DROP TRIGGER conversations_message_count_new ON assistant.conversations;

DROP FUNCTION assistant.check_message_count();

DROP TABLE assistant.messages;

DROP DOMAIN assistant.message_token_count;

DROP DOMAIN assistant.message_metadata;

DROP DOMAIN assistant.message_files;

DROP DOMAIN assistant.message_images;

DROP DOMAIN assistant.message_tool_results;

DROP DOMAIN assistant.message_tool_calls;

DROP DOMAIN assistant.message_model;

DROP DOMAIN assistant.message_content;

DROP DOMAIN assistant.message_role;

DROP DOMAIN assistant.message_variant;

DROP DOMAIN assistant.message_seq;

DROP FUNCTION assistant.check_gone_messages();

DROP FUNCTION assistant.check_changed_messages();

DROP FUNCTION assistant.refuse_no_active();

DROP FUNCTION assistant.check_new_messages();

UPDATE assistant.conversations SET message_count = 0, last_message_at = NULL WHERE message_count <> 0;
