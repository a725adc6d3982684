-- A conversation of its own: the rollback takes the messages, and sets the counts of conversations
-- that had some back to 0.
WITH counted AS (
    INSERT INTO assistant.conversations (tenant_id, user_id, message_count)
    VALUES ('0197a000-0000-7000-8000-00000000000a', '0197a000-0000-7000-8000-0000000000b1', 1)
    RETURNING tenant_id, id, user_id, message_count
)
INSERT INTO assistant.messages (tenant_id, conversation_id, user_id, seq, role, content)
SELECT c.tenant_id, c.id, c.user_id, c.message_count, 'user', 'Cà phê sữa đá?'
  FROM counted AS c;
