INSERT INTO workspace.exports (tenant_id, project_id, format, status, file_name, file_size, file_sha256, completed_at, expires_at)
VALUES ('0197a000-0000-7000-8000-00000000000a', '0197a000-0000-7000-8000-0000000000c1', 'zip', 'completed',
        'sample.zip', 1, sha256('x'), now(), now() + interval '1 day');
