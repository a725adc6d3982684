INSERT INTO workspace.users (tenant_id, id, email, name)
VALUES ('0197a000-0000-7000-8000-00000000000a', '0197a000-0000-7000-8000-0000000000b1', 'ada@example.org', 'Ada');

INSERT INTO core.api_keys (tenant_id, secret_hash, scopes, user_id)
VALUES ('0197a000-0000-7000-8000-00000000000a', sha256('other secret'), '{projects:read}', '0197a000-0000-7000-8000-0000000000b1');

-- Ada becomes its owner.
INSERT INTO workspace.projects (tenant_id, id, name, language, created_by)
VALUES ('0197a000-0000-7000-8000-00000000000a', '0197a000-0000-7000-8000-0000000000c1', 'Sample', 'en',
        '0197a000-0000-7000-8000-0000000000b1');
