INSERT INTO assistant.conversations (tenant_id, id, user_id, title, tags)
VALUES ('0197a000-0000-7000-8000-00000000000a', '0197a000-0000-7000-8000-0000000000d1',
        '0197a000-0000-7000-8000-0000000000b1', 'Sample', '{first}');
