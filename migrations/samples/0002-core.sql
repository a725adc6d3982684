INSERT INTO core.tenants (id, name)
VALUES ('0197a000-0000-7000-8000-00000000000a', 'sample'),
       ('0197a000-0000-7000-8000-00000000000b', 'other');

INSERT INTO core.api_keys (tenant_id, id, secret_hash, name, scopes)
VALUES ('0197a000-0000-7000-8000-00000000000a', '0197a000-0000-7000-8000-0000000000a1', sha256('secret'), 'sample', '{*}');

INSERT INTO core.idempotency (tenant_id, actor, key, request_hash, status, headers, body)
VALUES ('0197a000-0000-7000-8000-00000000000a', 'key:sample', 'first', sha256('request'), 201, '{"location": "/x"}', '{}');

INSERT INTO core.settings (name, value) VALUES ('sample.setting', '{"on": true}');
