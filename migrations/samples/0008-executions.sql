-- Its event comes by a trigger.
INSERT INTO workspace.agent_executions (tenant_id, id, project_id, agent_type, correlation_id, input)
VALUES ('0197a000-0000-7000-8000-00000000000a', '0197a000-0000-7000-8000-0000000000e1',
        '0197a000-0000-7000-8000-0000000000c1', 'writer', 'sample', '{"topic": "stones"}');

UPDATE workspace.agent_executions SET status = 'running' WHERE id = '0197a000-0000-7000-8000-0000000000e1';
