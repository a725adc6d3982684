-- One event by the trigger, into the partition of this month; and one that no partition is for.
INSERT INTO core.api_keys (tenant_id, secret_hash, name, scopes)
VALUES ('0197a000-0000-7000-8000-00000000000a', sha256('audited'), 'audited', '{audit}');

INSERT INTO audit.events (tenant_id, at, actor, table_name, row_id, action, after)
VALUES ('0197a000-0000-7000-8000-00000000000a', '2001-01-01', 'sample', 'workspace.users', uuidv7(), 'insert', '{}');
