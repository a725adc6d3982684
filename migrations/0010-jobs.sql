-- depends: 0009-audit-and-keys
-- Work that outlives a request: the queue, the role that takes from it, and the record of upkeep.
--
-- Needs what 0001 needs: a role belongs to the whole cluster, so the migration of another database
-- may have made it, or may be making it at this moment.

SET LOCAL lock_timeout = '3s';

SET LOCAL statement_timeout = '60s';

-- Who takes jobs must see those of all tenants, and nothing else of any. So it is a role of its own
-- that nobody logs in as: the service puts it on for one transaction (SET LOCAL ROLE), and without
-- that keeps no right of it (INHERIT FALSE). CONNECT ties the role to this database.
DO $$
DECLARE
    command text;
BEGIN
    FOREACH command IN ARRAY ARRAY[
        'CREATE ROLE quarry_worker NOLOGIN',
        format('GRANT CONNECT ON DATABASE %I TO quarry_worker', current_database()),
        'GRANT quarry_worker TO quarry_app WITH INHERIT FALSE, SET TRUE'
    ] LOOP
        FOR attempt IN 1 .. 20 LOOP
            EXIT WHEN command LIKE 'CREATE%' AND to_regrole('quarry_worker') IS NOT NULL;
            BEGIN
                EXECUTE command;
                EXIT;
            EXCEPTION
                WHEN duplicate_object OR unique_violation OR undefined_object OR internal_error THEN
                    IF attempt = 20 THEN
                        RAISE;
                    END IF;
                WHEN insufficient_privilege THEN
                    IF NOT coalesce(pg_has_role('quarry_app', to_regrole('quarry_worker'), 'SET'), false) THEN
                        RAISE WARNING 'not allowed here, let a superuser run: %', command;
                    END IF;
                    EXIT;
            END;
        END LOOP;
    END LOOP;
END
$$;

SET LOCAL ROLE quarry_owner;

CREATE SCHEMA ops;

COMMENT ON SCHEMA ops IS 'What keeps the service going: jobs, and the record of its upkeep.';

GRANT USAGE ON SCHEMA ops TO quarry_app, quarry_worker, quarry_readonly, quarry_monitor, quarry_backup;

ALTER DEFAULT PRIVILEGES FOR ROLE quarry_owner IN SCHEMA ops GRANT SELECT ON TABLES TO quarry_readonly;

-- ---------------------------------------------------------------------------------------------
-- Jobs

-- A claim is a token of its own for each attempt: every later word about the attempt names it, so
-- that a worker whose lease ran out can neither finish nor fail what another one has taken over.
-- The row is changed often and lives briefly: room on the page for HOT updates of progress.
CREATE TABLE ops.jobs (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL DEFAULT uuidv7(),
    kind text NOT NULL,
    args jsonb NOT NULL DEFAULT '{}',
    state text NOT NULL DEFAULT 'queued',
    attempts integer NOT NULL DEFAULT 0,
    max_attempts integer NOT NULL DEFAULT 5,
    run_at timestamptz NOT NULL DEFAULT now(),
    claim uuid,
    claimed_by text,
    lease_until timestamptz,
    progress integer NOT NULL DEFAULT 0,
    last_error text,
    actor text NOT NULL DEFAULT coalesce(nullif(current_setting('app.actor', true), ''), session_user),
    user_id uuid DEFAULT nullif(current_setting('app.user_id', true), '')::uuid,
    request_id text DEFAULT nullif(current_setting('app.request_id', true), ''),
    created_at timestamptz NOT NULL DEFAULT now(),
    started_at timestamptz,
    finished_at timestamptz,
    CONSTRAINT jobs_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT jobs_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES core.tenants (id) ON DELETE CASCADE,
    CONSTRAINT jobs_kind_shape CHECK (kind ~ '^[a-z][a-z0-9_.]{0,99}$'),
    CONSTRAINT jobs_args_object CHECK (jsonb_typeof(args) = 'object'),
    CONSTRAINT jobs_state_known CHECK (state IN ('queued', 'running', 'succeeded', 'dead', 'cancelled')),
    CONSTRAINT jobs_attempts_positive CHECK (attempts >= 0),
    CONSTRAINT jobs_max_attempts_range CHECK (max_attempts BETWEEN 1 AND 100),
    CONSTRAINT jobs_claim_of_running CHECK (
        (state = 'running') = (claim IS NOT NULL) AND (claim IS NULL) = (lease_until IS NULL)),
    CONSTRAINT jobs_progress_range CHECK (progress BETWEEN 0 AND 100),
    CONSTRAINT jobs_last_error_length CHECK (char_length(last_error) <= 1000),
    CONSTRAINT jobs_finished_at_end CHECK (
        (state IN ('succeeded', 'dead', 'cancelled')) = (finished_at IS NOT NULL))
) WITH (fillfactor = 70);

-- The queue: what is due, oldest first, over all tenants.
CREATE INDEX jobs_due_idx ON ops.jobs (run_at, id) WHERE state = 'queued';

-- Claims whose worker may be gone.
CREATE INDEX jobs_lease_idx ON ops.jobs (lease_until) WHERE state = 'running';

-- What upkeep removes.
CREATE INDEX jobs_finished_idx ON ops.jobs (finished_at) WHERE finished_at IS NOT NULL;

COMMENT ON TABLE ops.jobs IS 'Work to be done outside of a request. Written in the transaction of the row that it is about.';

COMMENT ON COLUMN ops.jobs.tenant_id IS 'The tenant that the work is done for; its session is bound to it.';

COMMENT ON COLUMN ops.jobs.id IS 'Made by the database, ordered by time; the same as the id of the row that the job is about, where there is one.';

COMMENT ON COLUMN ops.jobs.kind IS 'Which code does it.';

COMMENT ON COLUMN ops.jobs.args IS 'Ids and switches for that code, never contents.';

COMMENT ON COLUMN ops.jobs.state IS 'queued, running, succeeded, dead (given up), cancelled.';

COMMENT ON COLUMN ops.jobs.attempts IS 'How often it was claimed; a clean stop of the worker does not count.';

COMMENT ON COLUMN ops.jobs.max_attempts IS 'After so many it is dead.';

COMMENT ON COLUMN ops.jobs.run_at IS 'Not before; in the future while a failed attempt waits for the next.';

COMMENT ON COLUMN ops.jobs.claim IS 'Token of the running attempt, NULL when none runs. Who does not hold it changes nothing.';

COMMENT ON COLUMN ops.jobs.claimed_by IS 'host:pid of the process that claimed it last.';

COMMENT ON COLUMN ops.jobs.lease_until IS 'The running attempt is taken over after this; extended by heartbeats.';

COMMENT ON COLUMN ops.jobs.progress IS '0 to 100, of the running attempt.';

COMMENT ON COLUMN ops.jobs.last_error IS 'Why the last attempt failed, in words that hold no data of the tenant; NULL: none has.';

COMMENT ON COLUMN ops.jobs.actor IS 'Who asked for it, as in audit.events.';

COMMENT ON COLUMN ops.jobs.user_id IS 'The user that asked for it, where the credential named one.';

COMMENT ON COLUMN ops.jobs.request_id IS 'X-Request-ID of the request that asked for it.';

COMMENT ON COLUMN ops.jobs.created_at IS 'When it was asked for.';

COMMENT ON COLUMN ops.jobs.started_at IS 'When the last attempt began; NULL: none has.';

COMMENT ON COLUMN ops.jobs.finished_at IS 'When it succeeded, died or was cancelled; NULL before.';

-- queued → running, cancelled · running → queued, succeeded, dead, cancelled · dead, cancelled →
-- queued (an operator lets it run again) · succeeded is final.
CREATE FUNCTION ops.keep_job() RETURNS trigger
    LANGUAGE plpgsql
AS $$
BEGIN
    IF (NEW.tenant_id, NEW.id, NEW.kind, NEW.args, NEW.created_at)
       IS DISTINCT FROM (OLD.tenant_id, OLD.id, OLD.kind, OLD.args, OLD.created_at) THEN
        RAISE EXCEPTION 'what a job is never changes'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'jobs_immutable', TABLE = 'jobs';
    END IF;
    IF NEW.state <> OLD.state AND (OLD.state, NEW.state) NOT IN (
        VALUES ('queued', 'running'), ('queued', 'cancelled'),
               ('running', 'queued'), ('running', 'succeeded'), ('running', 'dead'), ('running', 'cancelled'),
               ('dead', 'queued'), ('cancelled', 'queued'))
    THEN
        RAISE EXCEPTION 'a job that is % cannot become %', OLD.state, NEW.state USING ERRCODE = 'QRY01';
    END IF;
    RETURN NEW;
END
$$;

COMMENT ON FUNCTION ops.keep_job() IS 'BEFORE UPDATE: a job stays what it is, and its states follow each other as they may.';

CREATE TRIGGER jobs_keep BEFORE UPDATE ON ops.jobs
    FOR EACH ROW EXECUTE FUNCTION ops.keep_job();

-- Workers sleep until something is due; those who miss this look again by themselves.
CREATE FUNCTION ops.announce_job() RETURNS trigger
    LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM pg_notify('quarry_jobs', NEW.kind);
    RETURN NULL;
END
$$;

COMMENT ON FUNCTION ops.announce_job() IS 'Tells channel quarry_jobs the kind of a job that is due.';

CREATE TRIGGER jobs_announce AFTER INSERT OR UPDATE OF state ON ops.jobs
    FOR EACH ROW WHEN (NEW.state = 'queued' AND NEW.run_at <= clock_timestamp())
    EXECUTE FUNCTION ops.announce_job();

ALTER TABLE ops.jobs ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY jobs_tenant ON ops.jobs TO quarry_app, quarry_readonly
    USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid))
    WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));

CREATE POLICY jobs_worker ON ops.jobs TO quarry_worker USING (true) WITH CHECK (true);

CREATE POLICY jobs_owner ON ops.jobs TO quarry_owner USING (true) WITH CHECK (true);

GRANT SELECT, INSERT, UPDATE ON ops.jobs TO quarry_app;

GRANT SELECT, UPDATE, DELETE ON ops.jobs TO quarry_worker;

-- ---------------------------------------------------------------------------------------------
-- Upkeep

-- Of the installation, not of a tenant: names and numbers only.
CREATE TABLE ops.maintenance_runs (
    id uuid NOT NULL DEFAULT uuidv7(),
    task text NOT NULL,
    run_by text NOT NULL,
    outcome text NOT NULL DEFAULT 'running',
    counts jsonb NOT NULL DEFAULT '{}',
    error text,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at timestamptz,
    CONSTRAINT maintenance_runs_pkey PRIMARY KEY (id),
    CONSTRAINT maintenance_runs_task_shape CHECK (task ~ '^[a-z][a-z0-9_.]{0,99}$'),
    CONSTRAINT maintenance_runs_outcome_known CHECK (outcome IN ('running', 'succeeded', 'failed', 'abandoned')),
    CONSTRAINT maintenance_runs_counts_object CHECK (jsonb_typeof(counts) = 'object'),
    CONSTRAINT maintenance_runs_error_length CHECK (char_length(error) <= 1000),
    CONSTRAINT maintenance_runs_finished_at_end CHECK ((outcome = 'running') = (finished_at IS NULL))
);

CREATE INDEX maintenance_runs_task_idx ON ops.maintenance_runs (task, started_at DESC);

COMMENT ON TABLE ops.maintenance_runs IS 'Each run of each periodic task.';

COMMENT ON COLUMN ops.maintenance_runs.id IS 'Made by the database; ordered by time.';

COMMENT ON COLUMN ops.maintenance_runs.task IS 'The task''s name.';

COMMENT ON COLUMN ops.maintenance_runs.run_by IS 'host:pid of the process that led.';

COMMENT ON COLUMN ops.maintenance_runs.outcome IS 'running, succeeded, failed; abandoned: its process ended before it did.';

COMMENT ON COLUMN ops.maintenance_runs.counts IS 'What was done, by name.';

COMMENT ON COLUMN ops.maintenance_runs.error IS 'Why it failed; NULL otherwise.';

COMMENT ON COLUMN ops.maintenance_runs.started_at IS 'When it began.';

COMMENT ON COLUMN ops.maintenance_runs.finished_at IS 'When it ended; NULL while it runs.';

GRANT SELECT, INSERT, UPDATE, DELETE ON ops.maintenance_runs TO quarry_app;

GRANT SELECT ON ops.maintenance_runs TO quarry_monitor;
