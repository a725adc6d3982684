-- name: jobs.enqueue :value
-- Asks for work in the transaction of the caller, who is noted with it; answers the job's id.
-- param: kind text
-- param: args jsonb?             ids and switches, never contents; {} when absent
-- param: id uuid?                that of the row which the job is about
-- param: run_at timestamptz?     not before; now when absent
-- param: max_attempts int?       5 when absent
INSERT INTO ops.jobs AS j (tenant_id, id, kind, args, run_at, max_attempts)
VALUES (:tenant_id, coalesce(:id, uuidv7()), :kind, coalesce(:args::jsonb, '{}'),
        coalesce(:run_at, now()), coalesce(:max_attempts, 5))
RETURNING j.id
