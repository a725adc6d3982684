INSERT INTO workspace.document_versions (tenant_id, project_id, document_type, content)
VALUES ('0197a000-0000-7000-8000-00000000000a', '0197a000-0000-7000-8000-0000000000c1', 'brief', 'Once upon a time');
