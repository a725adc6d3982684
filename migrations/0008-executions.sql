-- depends: 0007-domains
-- Events that callers follow, and the executions of agents with the state machine that they keep.

SET LOCAL lock_timeout = '3s';

SET LOCAL statement_timeout = '60s';

SET LOCAL ROLE quarry_owner;

-- ---------------------------------------------------------------------------------------------
-- Events

-- What streams of events are read from. A topic is a kind and the id of the row that it is about;
-- whoever changes that row writes the event in the same transaction. The sequence must be handed
-- out under a lock that is held until the commit (a row's version is): then whoever sees an event
-- sees all before it, and reading on from a number misses nothing.
CREATE TABLE core.topic_events (
    tenant_id uuid NOT NULL,
    topic text NOT NULL,
    topic_id uuid NOT NULL,
    sequence bigint NOT NULL,
    event text NOT NULL,
    data jsonb NOT NULL,
    is_final boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT topic_events_pkey PRIMARY KEY (tenant_id, topic, topic_id, sequence),
    CONSTRAINT topic_events_topic_shape CHECK (topic ~ '^[a-z_]{1,50}$'),
    CONSTRAINT topic_events_event_shape CHECK (event ~ '^[a-z_]{1,50}$'),
    CONSTRAINT topic_events_sequence_positive CHECK (sequence >= 1),
    CONSTRAINT topic_events_data_object CHECK (jsonb_typeof(data) = 'object'),
    CONSTRAINT topic_events_data_size CHECK (octet_length(data::text) <= 16384)
);

-- Serves the sweeper alone, which works over all tenants and leaves final events.
CREATE INDEX topic_events_created_at_idx ON core.topic_events (created_at) WHERE NOT is_final;

COMMENT ON TABLE core.topic_events IS 'What happened to something that callers follow, in its order. Written once, never changed.';

COMMENT ON COLUMN core.topic_events.tenant_id IS 'The tenant that the row belongs to.';

COMMENT ON COLUMN core.topic_events.topic IS 'Kind of what it is about: lower-case letters and _, such as execution.';

COMMENT ON COLUMN core.topic_events.topic_id IS 'Id of the row that it is about.';

COMMENT ON COLUMN core.topic_events.sequence IS 'Grows with each event of the topic, in the order of the commits.';

COMMENT ON COLUMN core.topic_events.event IS 'What happened, in one word of lower-case letters and _.';

COMMENT ON COLUMN core.topic_events.data IS 'What listeners are told: a JSON object of at most 16 KiB, which is what bounds the memory of a stream.';

COMMENT ON COLUMN core.topic_events.is_final IS 'Nothing more will happen to it.';

COMMENT ON COLUMN core.topic_events.created_at IS 'When it happened, by the server''s clock.';

-- Only a wake-up, with what is needed to know whom to wake: the truth is in the table.
CREATE FUNCTION core.announce_events() RETURNS trigger
    LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM pg_notify('quarry_events', concat_ws(' ', n.tenant_id, n.topic, n.topic_id, max(n.sequence)))
       FROM new_rows AS n
      GROUP BY n.tenant_id, n.topic, n.topic_id;
    RETURN NULL;
END
$$;

COMMENT ON FUNCTION core.announce_events() IS 'Tells channel quarry_events which topics have new events: tenant, topic, id, last sequence.';

CREATE TRIGGER topic_events_announce AFTER INSERT ON core.topic_events
    REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION core.announce_events();

ALTER TABLE core.topic_events ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

-- For SELECT and INSERT alone, as in the audit trail: the service cannot change what was told.
CREATE POLICY topic_events_tenant_select ON core.topic_events FOR SELECT TO quarry_app, quarry_readonly
    USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));

CREATE POLICY topic_events_tenant_insert ON core.topic_events FOR INSERT TO quarry_app
    WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));

CREATE POLICY topic_events_owner ON core.topic_events TO quarry_owner USING (true) WITH CHECK (true);

GRANT SELECT, INSERT ON core.topic_events TO quarry_app;

GRANT SELECT ON core.topic_events TO quarry_readonly;

-- A final event stays as long as what it is about, so that whoever comes late learns the end.
CREATE FUNCTION core.sweep_events(older_than interval, batch integer DEFAULT 1000) RETURNS bigint
    LANGUAGE sql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH old AS (
        SELECT e.tenant_id, e.topic, e.topic_id, e.sequence
          FROM core.topic_events AS e
         WHERE e.created_at < now() - older_than
           AND NOT e.is_final
         ORDER BY e.created_at
         LIMIT batch
           FOR UPDATE SKIP LOCKED
    ), swept AS (
        DELETE FROM core.topic_events AS e
         USING old AS o
         WHERE e.tenant_id = o.tenant_id AND e.topic = o.topic AND e.topic_id = o.topic_id AND e.sequence = o.sequence
        RETURNING 1
    )
    SELECT count(*) FROM swept;
END;

COMMENT ON FUNCTION core.sweep_events(interval, integer) IS 'Deletes up to batch old events of all tenants, never final ones; answers how many.';

GRANT EXECUTE ON FUNCTION core.sweep_events(interval, integer) TO quarry_app;

-- ---------------------------------------------------------------------------------------------
-- Executions

-- fillfactor: heartbeats and progress are in no index, so that with room on the page they are HOT.
CREATE TABLE workspace.agent_executions (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL DEFAULT uuidv7(),
    project_id uuid NOT NULL,
    agent_type text NOT NULL,
    correlation_id text NOT NULL,
    status text NOT NULL DEFAULT 'pending',
    input jsonb NOT NULL DEFAULT '{}',
    output jsonb,
    error_message text,
    progress integer NOT NULL DEFAULT 0,
    requested_by uuid,
    started_at timestamptz,
    heartbeat_at timestamptz,
    completed_at timestamptz,
    duration_ms bigint GENERATED ALWAYS AS ((extract(epoch FROM completed_at - started_at) * 1000)::bigint) STORED,
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT agent_executions_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT agent_executions_project_fkey FOREIGN KEY (tenant_id, project_id)
        REFERENCES workspace.projects (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT agent_executions_requested_by_fkey FOREIGN KEY (tenant_id, requested_by)
        REFERENCES workspace.users (tenant_id, id),
    CONSTRAINT agent_executions_agent_type_length CHECK (char_length(agent_type) BETWEEN 1 AND 50),
    CONSTRAINT agent_executions_correlation_id_shape CHECK (correlation_id ~ '^[!-~]{1,128}$'),
    CONSTRAINT agent_executions_status_known CHECK (
        status IN ('pending', 'running', 'needs_input', 'completed', 'failed', 'cancelled')),
    CONSTRAINT agent_executions_input_object CHECK (jsonb_typeof(input) = 'object'),
    CONSTRAINT agent_executions_output_object CHECK (jsonb_typeof(output) = 'object'),
    CONSTRAINT agent_executions_error_message_length CHECK (char_length(error_message) <= 10000),
    CONSTRAINT agent_executions_progress_range CHECK (progress BETWEEN 0 AND 100),
    CONSTRAINT agent_executions_started_at_fits CHECK (
        CASE WHEN status = 'pending' THEN started_at IS NULL
             WHEN status IN ('running', 'needs_input', 'completed') THEN started_at IS NOT NULL
             ELSE true END),
    CONSTRAINT agent_executions_heartbeat_at_fits CHECK ((started_at IS NULL) = (heartbeat_at IS NULL)),
    CONSTRAINT agent_executions_completed_at_fits CHECK (
        (status IN ('completed', 'failed', 'cancelled')) = (completed_at IS NOT NULL)),
    CONSTRAINT agent_executions_times_in_order CHECK (started_at <= heartbeat_at AND started_at <= completed_at)
) WITH (fillfactor = 85);

-- The list, newest first, and with what it includes all that the metrics count: they are read from
-- the index alone.
CREATE INDEX agent_executions_newest_idx
    ON workspace.agent_executions (tenant_id, project_id, created_at DESC, id DESC)
    INCLUDE (agent_type, status, duration_ms);

-- What is under way in a project: few rows among many that have ended.
CREATE INDEX agent_executions_open_idx
    ON workspace.agent_executions (tenant_id, project_id, status, created_at DESC, id DESC)
    WHERE status IN ('pending', 'running', 'needs_input');

CREATE INDEX agent_executions_correlation_idx
    ON workspace.agent_executions (tenant_id, project_id, correlation_id, created_at DESC, id DESC);

CREATE INDEX agent_executions_requested_by_idx
    ON workspace.agent_executions (tenant_id, requested_by) WHERE requested_by IS NOT NULL;

-- Serves the sweeper alone, which works over all tenants. By started_at and not by heartbeat_at, so
-- that a heartbeat changes no index: a row cannot be silent for longer than it has run.
CREATE INDEX agent_executions_running_idx ON workspace.agent_executions (started_at) WHERE status = 'running';

-- A project belongs to one tenant. Without being told, the planner multiplies the two and expects
-- next to nothing of the largest project: the metrics would then sort where they had better hash.
CREATE STATISTICS workspace.agent_executions_of_project (dependencies)
    ON tenant_id, project_id FROM workspace.agent_executions;

COMMENT ON TABLE workspace.agent_executions IS 'Runs of agents. How a status may follow on another is kept here, whoever writes.';

COMMENT ON COLUMN workspace.agent_executions.tenant_id IS 'The tenant that the row belongs to.';

COMMENT ON COLUMN workspace.agent_executions.id IS 'Made by the database; ordered by time.';

COMMENT ON COLUMN workspace.agent_executions.created_at IS 'When the row was made; never changes.';

COMMENT ON COLUMN workspace.agent_executions.updated_at IS 'When the row last changed; kept by a trigger. A heartbeat is no change.';

COMMENT ON COLUMN workspace.agent_executions.project_id IS 'The project.';

COMMENT ON COLUMN workspace.agent_executions.agent_type IS '1 to 50 characters.';

COMMENT ON COLUMN workspace.agent_executions.correlation_id IS 'What it belongs to beyond this service: 1 to 128 visible ASCII characters.';

COMMENT ON COLUMN workspace.agent_executions.status IS 'pending, running, needs_input; completed, failed and cancelled are final. Steps: workspace.execution_steps().';

COMMENT ON COLUMN workspace.agent_executions.input IS 'What the agent was given: a JSON object; never changes.';

COMMENT ON COLUMN workspace.agent_executions.output IS 'What the agent has made: a JSON object; NULL: nothing yet.';

COMMENT ON COLUMN workspace.agent_executions.error_message IS 'What went wrong, at most 10,000 characters; NULL: nothing.';

COMMENT ON COLUMN workspace.agent_executions.progress IS '0 to 100, as the agent reports it.';

COMMENT ON COLUMN workspace.agent_executions.requested_by IS 'The user who asked for it; NULL: a key without a user.';

COMMENT ON COLUMN workspace.agent_executions.started_at IS 'When it first became running; kept by a trigger. NULL: never.';

COMMENT ON COLUMN workspace.agent_executions.heartbeat_at IS 'Last sign of life while running: a heartbeat or a change; NULL: never ran.';

COMMENT ON COLUMN workspace.agent_executions.completed_at IS 'When it became final; kept by a trigger. NULL: it has not.';

COMMENT ON COLUMN workspace.agent_executions.duration_ms IS 'From started_at to completed_at in ms; NULL: it never ran or has not ended.';

COMMENT ON COLUMN workspace.agent_executions.version IS 'Counts changes; kept by a trigger. The ETag, and the sequence of its events. A heartbeat is no change.';

CREATE FUNCTION workspace.execution_steps(status text) RETURNS text[]
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE status
           WHEN 'pending' THEN ARRAY['running', 'cancelled', 'failed']
           WHEN 'running' THEN ARRAY['completed', 'failed', 'cancelled', 'needs_input']
           WHEN 'needs_input' THEN ARRAY['running', 'cancelled', 'failed']
           ELSE ARRAY[]::text[] END;

COMMENT ON FUNCTION workspace.execution_steps(text) IS 'Which status may follow on this one; none: it is final.';

CREATE FUNCTION workspace.refuse_step(old_status text, new_status text) RETURNS void
    LANGUAGE plpgsql
AS $$
DECLARE
    steps text[] := workspace.execution_steps(old_status);
BEGIN
    RAISE EXCEPTION 'an execution cannot go from % to %: %', old_status, new_status,
        CASE WHEN cardinality(steps) = 0 THEN old_status || ' is final'
             ELSE 'from ' || old_status || ' it goes to ' || array_to_string(steps, ', ') END
        USING ERRCODE = 'QRY01', CONSTRAINT = 'agent_executions_status_step',
              TABLE = 'agent_executions', COLUMN = 'status';
END
$$;

COMMENT ON FUNCTION workspace.refuse_step(text, text) IS 'Raises QRY01 (illegal transition), naming both states and the legal steps.';

-- By column list, so that it fires whenever a statement names the status, even the one that the row
-- has: of two who start or finish the same execution one wins, and the other one is told.
CREATE FUNCTION workspace.step_execution() RETURNS trigger
    LANGUAGE plpgsql
AS $$
DECLARE
    at_time timestamptz := clock_timestamp();
BEGIN
    IF NEW.status <> ALL (workspace.execution_steps(OLD.status)) THEN
        PERFORM workspace.refuse_step(OLD.status, NEW.status);
    END IF;
    -- Whoever comes back from needs_input has run before: only the sign of life is new.
    IF NEW.status = 'running' THEN
        NEW.started_at := coalesce(OLD.started_at, at_time);
        NEW.heartbeat_at := at_time;
    ELSIF cardinality(workspace.execution_steps(NEW.status)) = 0 THEN
        NEW.completed_at := at_time;
    END IF;
    RETURN NEW;
END
$$;

COMMENT ON FUNCTION workspace.step_execution() IS 'The state machine: refuses other steps, and notes when it started and ended.';

CREATE TRIGGER agent_executions_step BEFORE UPDATE OF status ON workspace.agent_executions
    FOR EACH ROW EXECUTE FUNCTION workspace.step_execution();

-- A heartbeat alone is no change: it counts up no version, so that it leaves neither an audit row
-- (a run of an hour would leave hundreds that say nothing) nor an event, and costs no ETag.
CREATE FUNCTION workspace.touch_execution() RETURNS trigger
    LANGUAGE plpgsql
AS $$
DECLARE
    changed boolean := (NEW.status, NEW.output, NEW.error_message, NEW.progress)
        IS DISTINCT FROM (OLD.status, OLD.output, OLD.error_message, OLD.progress);
BEGIN
    IF NEW.id <> OLD.id THEN
        PERFORM core.refuse_change(TG_TABLE_NAME, 'id');
    ELSIF NEW.tenant_id <> OLD.tenant_id THEN
        PERFORM core.refuse_change(TG_TABLE_NAME, 'tenant_id');
    ELSIF NEW.created_at IS DISTINCT FROM OLD.created_at THEN
        PERFORM core.refuse_change(TG_TABLE_NAME, 'created_at');
    END IF;
    IF NEW.status = OLD.status THEN
        IF changed AND cardinality(workspace.execution_steps(OLD.status)) = 0 THEN
            PERFORM workspace.refuse_step(OLD.status, NEW.status);
        END IF;
        NEW.started_at := OLD.started_at;
        NEW.completed_at := OLD.completed_at;
    END IF;
    NEW.heartbeat_at := CASE
        WHEN NEW.status <> 'running' THEN OLD.heartbeat_at
        WHEN changed THEN clock_timestamp()
        ELSE greatest(NEW.heartbeat_at, OLD.heartbeat_at) END;
    NEW.updated_at := CASE WHEN changed THEN clock_timestamp() ELSE OLD.updated_at END;
    NEW.version := OLD.version + changed::integer;
    RETURN NEW;
END
$$;

COMMENT ON FUNCTION workspace.touch_execution() IS 'As core.touch_version(), but a heartbeat is no change, and what is final changes no more.';

CREATE TRIGGER agent_executions_touch BEFORE UPDATE ON workspace.agent_executions
    FOR EACH ROW EXECUTE FUNCTION workspace.touch_execution();

CREATE FUNCTION workspace.keep_execution() RETURNS trigger
    LANGUAGE plpgsql
AS $$
DECLARE
    changed text;
BEGIN
    changed := CASE
        WHEN NEW.project_id <> OLD.project_id THEN 'project_id'
        WHEN NEW.agent_type <> OLD.agent_type THEN 'agent_type'
        WHEN NEW.correlation_id <> OLD.correlation_id THEN 'correlation_id'
        WHEN NEW.input <> OLD.input THEN 'input'
        WHEN NEW.requested_by IS DISTINCT FROM OLD.requested_by THEN 'requested_by'
    END;
    IF changed IS NOT NULL THEN
        PERFORM core.refuse_change(TG_TABLE_NAME, changed);
    END IF;
    RETURN NEW;
END
$$;

COMMENT ON FUNCTION workspace.keep_execution() IS 'Refuses to change what was asked for: agent_executions_<column>_immutable.';

CREATE TRIGGER agent_executions_keep
    BEFORE UPDATE OF project_id, agent_type, correlation_id, input, requested_by
    ON workspace.agent_executions
    FOR EACH ROW EXECUTE FUNCTION workspace.keep_execution();

-- The sequence is the version: changes of one row wait for each other until the commit, so events
-- have no gap and become visible in their order. Without what may be large: input, output, and more
-- than the beginning of an error message.
CREATE FUNCTION workspace.publish_execution() RETURNS trigger
    LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO core.topic_events (tenant_id, topic, topic_id, sequence, event, data, is_final)
    VALUES (NEW.tenant_id, 'execution', NEW.id, NEW.version,
            CASE WHEN TG_OP = 'UPDATE' AND NEW.status = OLD.status THEN 'change' ELSE 'status' END,
            jsonb_build_object(
                'id', NEW.id, 'project_id', NEW.project_id, 'agent_type', NEW.agent_type,
                'status', NEW.status, 'progress', NEW.progress, 'error_message', left(NEW.error_message, 1000),
                'started_at', NEW.started_at, 'completed_at', NEW.completed_at,
                'duration_ms', NEW.duration_ms, 'version', NEW.version, 'updated_at', NEW.updated_at),
            cardinality(workspace.execution_steps(NEW.status)) = 0);
    RETURN NULL;
END
$$;

COMMENT ON FUNCTION workspace.publish_execution() IS 'One event per change: status when that is new, else change.';

CREATE TRIGGER agent_executions_publish_insert AFTER INSERT ON workspace.agent_executions
    FOR EACH ROW EXECUTE FUNCTION workspace.publish_execution();

CREATE TRIGGER agent_executions_publish_update AFTER UPDATE ON workspace.agent_executions
    FOR EACH ROW WHEN (NEW.version > OLD.version) EXECUTE FUNCTION workspace.publish_execution();

CREATE FUNCTION workspace.forget_executions() RETURNS trigger
    LANGUAGE plpgsql
AS $$
BEGIN
    DELETE FROM core.topic_events AS e
     USING old_rows AS o
     WHERE e.tenant_id = o.tenant_id AND e.topic = 'execution' AND e.topic_id = o.id;
    RETURN NULL;
END
$$;

COMMENT ON FUNCTION workspace.forget_executions() IS 'Takes the events of deleted executions along.';

CREATE TRIGGER agent_executions_forget AFTER DELETE ON workspace.agent_executions
    REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION workspace.forget_executions();

-- The input stays as it was written and may be large, so it is left out; the output is in the trail.
CREATE TRIGGER agent_executions_audit_insert AFTER INSERT ON workspace.agent_executions
    REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit.record('heartbeat_at', 'input');

CREATE TRIGGER agent_executions_audit_update AFTER UPDATE ON workspace.agent_executions
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit.record('heartbeat_at', 'input');

CREATE TRIGGER agent_executions_audit_delete AFTER DELETE ON workspace.agent_executions
    REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit.record('heartbeat_at', 'input');

ALTER TABLE workspace.agent_executions ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY agent_executions_tenant ON workspace.agent_executions TO quarry_app, quarry_readonly
    USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid))
    WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));

CREATE POLICY agent_executions_owner ON workspace.agent_executions TO quarry_owner USING (true) WITH CHECK (true);

-- By column: the service begins every execution as pending and sets no time by hand. No DELETE: an
-- execution goes with its whole project.
GRANT SELECT ON workspace.agent_executions TO quarry_app;

GRANT INSERT (tenant_id, project_id, agent_type, correlation_id, input, requested_by)
    ON workspace.agent_executions TO quarry_app;

GRANT UPDATE (status, output, error_message, progress, heartbeat_at) ON workspace.agent_executions TO quarry_app;

-- The sweeper has no tenant, and without one the service sees no row. In batches, passing by what
-- is in use; by the state machine like everybody, so that its steps are events and in the trail.
CREATE FUNCTION workspace.sweep_executions(stale interval, batch integer DEFAULT 100) RETURNS bigint
    LANGUAGE sql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH silent AS (
        SELECT e.tenant_id, e.id
          FROM workspace.agent_executions AS e
         WHERE e.status = 'running'
           AND e.started_at < now() - stale
           AND e.heartbeat_at < now() - stale
         ORDER BY e.started_at
         LIMIT batch
           FOR UPDATE SKIP LOCKED
    ), swept AS (
        UPDATE workspace.agent_executions AS e
           SET status = 'failed', error_message = 'no heartbeat'
          FROM silent AS s
         WHERE e.tenant_id = s.tenant_id AND e.id = s.id
        RETURNING 1
    )
    SELECT count(*) FROM swept;
END;

COMMENT ON FUNCTION workspace.sweep_executions(interval, integer) IS 'Makes up to batch running executions of all tenants failed whose last sign of life is older; answers how many.';

GRANT EXECUTE ON FUNCTION workspace.sweep_executions(interval, integer) TO quarry_app;

-- Called by the trigger functions with the rights of whoever writes.
GRANT EXECUTE ON FUNCTION workspace.execution_steps(text), workspace.refuse_step(text, text) TO quarry_app;
