INSERT INTO assistant.memories (tenant_id, user_id, conversation_id, question, answer)
VALUES ('0197a000-0000-7000-8000-00000000000a', '0197a000-0000-7000-8000-0000000000b1',
        '0197a000-0000-7000-8000-0000000000d1', 'What does Ada drink?', 'Cà phê sữa đá');
