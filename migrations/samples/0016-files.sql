INSERT INTO assistant.files (tenant_id, user_id, original_name, stored_name, mime_type, size, sha256, path)
VALUES ('0197a000-0000-7000-8000-00000000000a', '0197a000-0000-7000-8000-0000000000b1', 'a.txt', 'a0', 'text/plain',
        1, sha256('x'), 'uploads/a0');
