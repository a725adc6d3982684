INSERT INTO ops.jobs (tenant_id, id, kind, args, state, attempts, claim, claimed_by, lease_until, started_at)
VALUES ('0197a000-0000-7000-8000-00000000000a', '0197a000-0000-7000-8000-0000000000d1', 'sample', '{"of": 1}', 'running', 1,
        '0197a000-0000-7000-8000-0000000000d2', 'host:1', now() + interval '1 minute', now());

INSERT INTO ops.maintenance_runs (task, run_by, outcome, counts, finished_at)
VALUES ('sample', 'host:1', 'succeeded', '{"done": 3}', clock_timestamp());
