INSERT INTO ops.repairs (tenant_id, run_id, check_name, table_name, row_id, action, changes, before, confidence, evidence, applied_at)
VALUES ('0197a000-0000-7000-8000-00000000000a', '0197a000-0000-7000-8000-0000000000f1', 'sample', 'workspace.projects',
        '0197a000-0000-7000-8000-0000000000c1', 'update', '{"name": "after"}', '{"name": "before"}', 0.9, 'sample', now());
