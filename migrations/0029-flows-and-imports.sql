-- depends: 0028-document-statistics
-- Discovery: master flows with their state machine, imports, raw records and mappings.

SET LOCAL lock_timeout = '3s';

SET LOCAL statement_timeout = '60s';

SET LOCAL ROLE quarry_owner;

CREATE SCHEMA discovery;

COMMENT ON SCHEMA discovery IS 'Inventories that were imported, the flows that work on them, and the assets that came out.';

GRANT USAGE ON SCHEMA discovery TO quarry_app, quarry_readonly, quarry_backup;

ALTER DEFAULT PRIVILEGES FOR ROLE quarry_owner IN SCHEMA discovery GRANT SELECT ON TABLES TO quarry_readonly;

-- ---------------------------------------------------------------------------------------------
-- Master flows

-- In every key here the column that tells rows apart follows the tenant at once, before the project. The
-- checks of foreign keys look for (tenant, project, id) row by row; as long as the planner knows little of
-- a new project, an index that begins with tenant and project looks as good to it as the right one, and each
-- check would read all rows of the project.

-- Where a flow stands, told from its phase alone, so that nobody can set it.
CREATE FUNCTION discovery.phase_progress(phase text) RETURNS integer
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE phase
           WHEN 'validation' THEN 12
           WHEN 'mapping' THEN 25
           WHEN 'cleansing' THEN 37
           WHEN 'inventory' THEN 50
           WHEN 'conflicts' THEN 62
           WHEN 'dependencies' THEN 75
           WHEN 'technical_debt' THEN 87
           WHEN 'completed' THEN 100
           ELSE 0 END;

COMMENT ON FUNCTION discovery.phase_progress(text) IS 'How much is done when a flow is in this phase: 0 to 100; 0 for a phase that it does not know.';

-- fillfactor: state and phase are in no index, so that with room on the page a step of a phase is HOT.
CREATE TABLE discovery.master_flows (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL DEFAULT uuidv7(),
    project_id uuid NOT NULL,
    flow_type text NOT NULL DEFAULT 'discovery',
    flow_name text NOT NULL,
    status text NOT NULL DEFAULT 'initialized',
    current_phase text NOT NULL DEFAULT 'upload',
    progress integer NOT NULL GENERATED ALWAYS AS (discovery.phase_progress(current_phase)) STORED,
    configuration jsonb NOT NULL DEFAULT '{}',
    state jsonb NOT NULL DEFAULT '{}',
    parent_flow_id uuid,
    retry_count integer NOT NULL DEFAULT 0,
    reason text,
    error jsonb,
    created_by uuid,
    started_at timestamptz,
    paused_at timestamptz,
    completed_at timestamptz,
    archived_at timestamptz,
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT master_flows_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT master_flows_project_id_key UNIQUE (tenant_id, id, project_id),
    CONSTRAINT master_flows_project_fkey FOREIGN KEY (tenant_id, project_id)
        REFERENCES workspace.projects (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT master_flows_parent_flow_fkey FOREIGN KEY (tenant_id, project_id, parent_flow_id)
        REFERENCES discovery.master_flows (tenant_id, project_id, id) ON DELETE SET NULL (parent_flow_id),
    CONSTRAINT master_flows_created_by_fkey FOREIGN KEY (tenant_id, created_by)
        REFERENCES workspace.users (tenant_id, id),
    CONSTRAINT master_flows_flow_type_known CHECK (
        flow_type IN ('discovery', 'assessment', 'collection', 'planning', 'execution', 'modernize', 'finops',
                      'observability', 'decommission')),
    CONSTRAINT master_flows_flow_name_length CHECK (char_length(flow_name) BETWEEN 1 AND 255),
    CONSTRAINT master_flows_status_known CHECK (
        status IN ('initialized', 'running', 'paused', 'waiting_for_approval', 'completed', 'failed', 'cancelled',
                   'archived')),
    CONSTRAINT master_flows_current_phase_shape CHECK (current_phase ~ '^[a-z_]{1,50}$'),
    CONSTRAINT master_flows_configuration_object CHECK (jsonb_typeof(configuration) = 'object'),
    CONSTRAINT master_flows_state_object CHECK (jsonb_typeof(state) = 'object'),
    CONSTRAINT master_flows_parent_flow_other CHECK (parent_flow_id <> id),
    CONSTRAINT master_flows_retry_count_range CHECK (retry_count BETWEEN 0 AND 3),
    CONSTRAINT master_flows_reason_length CHECK (char_length(reason) BETWEEN 1 AND 1000),
    CONSTRAINT master_flows_error_object CHECK (jsonb_typeof(error) = 'object'),
    CONSTRAINT master_flows_failed_told CHECK (status <> 'failed' OR error IS NOT NULL),
    CONSTRAINT master_flows_paused_at_fits CHECK ((status = 'paused') = (paused_at IS NOT NULL)),
    CONSTRAINT master_flows_completed_at_fits CHECK (
        (status IN ('completed', 'failed', 'cancelled', 'archived')) = (completed_at IS NOT NULL)),
    CONSTRAINT master_flows_archived_at_fits CHECK ((status = 'archived') = (archived_at IS NOT NULL))
) WITH (fillfactor = 70);

-- The flows of a project, newest first; those of one status; and those that have not ended, of whatever status.
CREATE INDEX master_flows_newest_idx ON discovery.master_flows (tenant_id, project_id, created_at DESC, id DESC);

CREATE INDEX master_flows_status_idx ON discovery.master_flows (tenant_id, project_id, status, created_at DESC, id DESC);

CREATE INDEX master_flows_active_idx ON discovery.master_flows (tenant_id, project_id, created_at DESC, id DESC)
    WHERE status IN ('initialized', 'running', 'paused', 'waiting_for_approval');

CREATE INDEX master_flows_parent_flow_idx
    ON discovery.master_flows (tenant_id, parent_flow_id, project_id) WHERE parent_flow_id IS NOT NULL;

CREATE INDEX master_flows_created_by_idx ON discovery.master_flows (tenant_id, created_by) WHERE created_by IS NOT NULL;

-- Without it the planner takes tenant and project for independent: it then believes that a project has next to
-- no rows, and finds one by its id in an index of the project's lists, by reading all of the project.
CREATE STATISTICS discovery.master_flows_of_project (dependencies, ndistinct)
    ON tenant_id, project_id FROM discovery.master_flows;

COMMENT ON STATISTICS discovery.master_flows_of_project IS 'That a project is of one tenant: makes the estimates of rows right.';

COMMENT ON TABLE discovery.master_flows IS 'Flows of work through phases. How a status may follow on another is kept here, whoever writes.';

COMMENT ON COLUMN discovery.master_flows.tenant_id IS 'The tenant that the row belongs to.';

COMMENT ON COLUMN discovery.master_flows.id IS 'Made by the database; ordered by time.';

COMMENT ON COLUMN discovery.master_flows.project_id IS 'The project.';

COMMENT ON COLUMN discovery.master_flows.flow_type IS 'discovery, assessment, collection, planning, execution, modernize, finops, observability, decommission.';

COMMENT ON COLUMN discovery.master_flows.flow_name IS 'What to call it, 1 to 255 characters.';

COMMENT ON COLUMN discovery.master_flows.status IS 'Steps: discovery.flow_steps().';

COMMENT ON COLUMN discovery.master_flows.current_phase IS 'What is done next or now; of discovery: upload, validation, mapping, cleansing, inventory, conflicts, dependencies, technical_debt, completed.';

COMMENT ON COLUMN discovery.master_flows.progress IS '0 to 100, from the phase.';

COMMENT ON COLUMN discovery.master_flows.configuration IS 'What was asked for: a JSON object.';

COMMENT ON COLUMN discovery.master_flows.state IS 'What its phases keep: a JSON object.';

COMMENT ON COLUMN discovery.master_flows.parent_flow_id IS 'The flow that began this one; NULL: none.';

COMMENT ON COLUMN discovery.master_flows.retry_count IS 'How often it ran again after it failed, at most 3; kept by a trigger.';

COMMENT ON COLUMN discovery.master_flows.reason IS 'Why the status or the phase changed last; every statement that changes one of them sets it. NULL: needs no word.';

COMMENT ON COLUMN discovery.master_flows.error IS 'Why it failed: a JSON object with code, phase and detail; NULL while it has not.';

COMMENT ON COLUMN discovery.master_flows.created_by IS 'The user who began it; NULL: a key without a user.';

COMMENT ON COLUMN discovery.master_flows.started_at IS 'When it first ran; kept by a trigger. NULL: never.';

COMMENT ON COLUMN discovery.master_flows.paused_at IS 'Since when it is paused; kept by a trigger. NULL: it is not.';

COMMENT ON COLUMN discovery.master_flows.completed_at IS 'When it completed, failed or was cancelled; kept by a trigger. NULL: it goes on.';

COMMENT ON COLUMN discovery.master_flows.archived_at IS 'When it was put away; kept by a trigger. NULL: it is not.';

COMMENT ON COLUMN discovery.master_flows.version IS 'Counts changes; kept by a trigger. The ETag, and the sequence of its events and transitions.';

COMMENT ON COLUMN discovery.master_flows.created_at IS 'When the row was made; never changes.';

COMMENT ON COLUMN discovery.master_flows.updated_at IS 'When the row last changed; kept by a trigger.';

CREATE FUNCTION discovery.flow_steps(status text) RETURNS text[]
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE status
           WHEN 'initialized' THEN ARRAY['running', 'cancelled']
           WHEN 'running' THEN ARRAY['paused', 'waiting_for_approval', 'completed', 'failed', 'cancelled']
           WHEN 'paused' THEN ARRAY['running', 'cancelled']
           WHEN 'waiting_for_approval' THEN ARRAY['running', 'cancelled']
           WHEN 'failed' THEN ARRAY['running', 'cancelled', 'archived']
           WHEN 'completed' THEN ARRAY['archived']
           WHEN 'cancelled' THEN ARRAY['archived']
           ELSE ARRAY[]::text[] END;

COMMENT ON FUNCTION discovery.flow_steps(text) IS 'Which status may follow on this one; none: it is final.';

-- By column list, so that it fires whenever a statement names the status, even the one that the row
-- has: of two who take the same step one wins, and the other one is told.
CREATE FUNCTION discovery.step_flow() RETURNS trigger
    LANGUAGE plpgsql
AS $$
DECLARE
    at_time timestamptz := clock_timestamp();
    steps text[] := discovery.flow_steps(OLD.status);
BEGIN
    IF NEW.status <> ALL (steps) THEN
        RAISE EXCEPTION 'a flow cannot go from % to %: %', OLD.status, NEW.status,
            CASE WHEN cardinality(steps) = 0 THEN OLD.status || ' is final'
                 ELSE 'from ' || OLD.status || ' it goes to ' || array_to_string(steps, ', ') END
            USING ERRCODE = 'QRY01', CONSTRAINT = 'master_flows_status_step',
                  TABLE = 'master_flows', COLUMN = 'status';
    END IF;
    IF OLD.status = 'failed' AND NEW.status = 'running' THEN
        IF OLD.retry_count >= 3 THEN
            RAISE EXCEPTION 'a flow runs again at most 3 times after it failed'
                USING ERRCODE = 'QRY01', CONSTRAINT = 'master_flows_retry_limit',
                      TABLE = 'master_flows', COLUMN = 'retry_count';
        END IF;
        NEW.retry_count := OLD.retry_count + 1;
    END IF;
    NEW.paused_at := CASE WHEN NEW.status = 'paused' THEN at_time END;
    IF NEW.status = 'running' THEN
        NEW.started_at := coalesce(OLD.started_at, at_time);
        NEW.completed_at := NULL;
        NEW.error := NULL;
    ELSIF NEW.status IN ('completed', 'failed', 'cancelled') THEN
        NEW.completed_at := at_time;
    ELSIF NEW.status = 'archived' THEN
        NEW.archived_at := at_time;
    END IF;
    RETURN NEW;
END
$$;

COMMENT ON FUNCTION discovery.step_flow() IS 'The state machine: refuses other steps, counts retries, and notes the times.';

CREATE TRIGGER master_flows_step BEFORE UPDATE OF status ON discovery.master_flows
    FOR EACH ROW EXECUTE FUNCTION discovery.step_flow();

CREATE FUNCTION discovery.keep_master_flows() RETURNS trigger
    LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM core.refuse_change('master_flows', changed.column_name)
       FROM (SELECT CASE
            WHEN NEW.project_id IS DISTINCT FROM OLD.project_id THEN 'project_id'
            WHEN NEW.flow_type IS DISTINCT FROM OLD.flow_type THEN 'flow_type'
            WHEN NEW.parent_flow_id <> OLD.parent_flow_id THEN 'parent_flow_id'
            WHEN NEW.created_by IS DISTINCT FROM OLD.created_by THEN 'created_by'
            END AS column_name) AS changed
      WHERE changed.column_name IS NOT NULL;
    RETURN NEW;
END
$$;

COMMENT ON FUNCTION discovery.keep_master_flows() IS 'Refuses to change what a row was made with: master_flows_<column>_immutable.';

CREATE TRIGGER master_flows_keep
    BEFORE UPDATE OF project_id, flow_type, parent_flow_id, created_by
    ON discovery.master_flows
    FOR EACH ROW EXECUTE FUNCTION discovery.keep_master_flows();

CREATE TRIGGER master_flows_touch BEFORE UPDATE ON discovery.master_flows
    FOR EACH ROW EXECUTE FUNCTION core.touch_version();

CREATE TABLE discovery.flow_transitions (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL DEFAULT uuidv7(),
    project_id uuid NOT NULL,
    master_flow_id uuid NOT NULL,
    sequence bigint NOT NULL,
    from_status text,
    to_status text NOT NULL,
    from_phase text,
    to_phase text NOT NULL,
    actor text NOT NULL,
    user_id uuid,
    reason text,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT flow_transitions_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT flow_transitions_sequence_key UNIQUE (tenant_id, master_flow_id, project_id, sequence),
    CONSTRAINT flow_transitions_master_flow_fkey FOREIGN KEY (tenant_id, project_id, master_flow_id)
        REFERENCES discovery.master_flows (tenant_id, project_id, id) ON DELETE CASCADE,
    CONSTRAINT flow_transitions_sequence_positive CHECK (sequence >= 1)
);

COMMENT ON TABLE discovery.flow_transitions IS 'Every change of status or phase of a flow. Written once, never changed; goes with its flow alone.';

COMMENT ON COLUMN discovery.flow_transitions.tenant_id IS 'The tenant that the row belongs to.';

COMMENT ON COLUMN discovery.flow_transitions.id IS 'Made by the database; ordered by time.';

COMMENT ON COLUMN discovery.flow_transitions.project_id IS 'The project.';

COMMENT ON COLUMN discovery.flow_transitions.master_flow_id IS 'The flow.';

COMMENT ON COLUMN discovery.flow_transitions.sequence IS 'The version of the flow that the change made.';

COMMENT ON COLUMN discovery.flow_transitions.from_status IS 'NULL: the flow began.';

COMMENT ON COLUMN discovery.flow_transitions.to_status IS 'The new status, or the one that it kept.';

COMMENT ON COLUMN discovery.flow_transitions.from_phase IS 'NULL: the flow began.';

COMMENT ON COLUMN discovery.flow_transitions.to_phase IS 'The new phase, or the one that it kept.';

COMMENT ON COLUMN discovery.flow_transitions.actor IS 'Who did it, as in audit.events.';

COMMENT ON COLUMN discovery.flow_transitions.user_id IS 'The user, where the credential named one; kept as text of the past, so without a link.';

COMMENT ON COLUMN discovery.flow_transitions.reason IS 'Why, where somebody said so.';

COMMENT ON COLUMN discovery.flow_transitions.at IS 'When, by the clock of the server.';

-- With the owner's rights, so that the service can add no transition of its own making.
CREATE FUNCTION discovery.record_transition() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    INSERT INTO discovery.flow_transitions (
        tenant_id, project_id, master_flow_id, sequence, from_status, to_status, from_phase, to_phase, actor, user_id, reason)
    VALUES (NEW.tenant_id, NEW.project_id, NEW.id, NEW.version,
            CASE WHEN TG_OP = 'UPDATE' THEN OLD.status END, NEW.status,
            CASE WHEN TG_OP = 'UPDATE' THEN OLD.current_phase END, NEW.current_phase,
            coalesce(nullif(current_setting('app.actor', true), ''), session_user),
            nullif(current_setting('app.user_id', true), '')::uuid, NEW.reason);
    RETURN NULL;
END
$$;

COMMENT ON FUNCTION discovery.record_transition() IS 'Leaves a transition when a flow begins and when its status or phase changes.';

CREATE TRIGGER master_flows_transition_insert AFTER INSERT ON discovery.master_flows
    FOR EACH ROW EXECUTE FUNCTION discovery.record_transition();

CREATE TRIGGER master_flows_transition_update AFTER UPDATE ON discovery.master_flows
    FOR EACH ROW WHEN (NEW.status <> OLD.status OR NEW.current_phase <> OLD.current_phase)
    EXECUTE FUNCTION discovery.record_transition();

CREATE FUNCTION discovery.keep_transition() RETURNS trigger
    LANGUAGE plpgsql
AS $$
BEGIN
    RAISE EXCEPTION 'a transition is written once'
        USING ERRCODE = 'check_violation', CONSTRAINT = 'flow_transitions_immutable', TABLE = 'flow_transitions';
END
$$;

COMMENT ON FUNCTION discovery.keep_transition() IS 'Refuses to change what happened: flow_transitions_immutable.';

CREATE TRIGGER flow_transitions_keep BEFORE UPDATE ON discovery.flow_transitions
    FOR EACH ROW EXECUTE FUNCTION discovery.keep_transition();

-- The sequence is the version: changes of one row wait for each other until the commit, so events
-- have no gap and become visible in their order. Without what may be large.
CREATE FUNCTION discovery.publish_flow() RETURNS trigger
    LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO core.topic_events (tenant_id, topic, topic_id, sequence, event, data, is_final)
    VALUES (NEW.tenant_id, 'flow', NEW.id, NEW.version,
            CASE WHEN TG_OP = 'INSERT' OR NEW.status <> OLD.status THEN 'status'
                 WHEN NEW.current_phase <> OLD.current_phase THEN 'phase'
                 ELSE 'change' END,
            jsonb_build_object(
                'id', NEW.id, 'project_id', NEW.project_id, 'flow_type', NEW.flow_type, 'status', NEW.status,
                'current_phase', NEW.current_phase, 'progress', NEW.progress, 'reason', NEW.reason,
                'error', left(NEW.error::text, 2000), 'retry_count', NEW.retry_count,
                'version', NEW.version, 'updated_at', NEW.updated_at),
            NEW.status IN ('completed', 'cancelled', 'archived'));
    RETURN NULL;
END
$$;

COMMENT ON FUNCTION discovery.publish_flow() IS 'One event per change of a flow: status, phase, or change. A failed flow may go on, so that is not final.';

CREATE TRIGGER master_flows_publish_insert AFTER INSERT ON discovery.master_flows
    FOR EACH ROW EXECUTE FUNCTION discovery.publish_flow();

CREATE TRIGGER master_flows_publish_update AFTER UPDATE ON discovery.master_flows
    FOR EACH ROW EXECUTE FUNCTION discovery.publish_flow();

CREATE FUNCTION discovery.forget_flows() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    DELETE FROM core.topic_events AS e
     USING old_rows AS o
     WHERE e.tenant_id = o.tenant_id AND e.topic = 'flow' AND e.topic_id = o.id;
    RETURN NULL;
END
$$;

COMMENT ON FUNCTION discovery.forget_flows() IS 'Takes the events of deleted flows along.';

CREATE TRIGGER master_flows_forget AFTER DELETE ON discovery.master_flows
    REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION discovery.forget_flows();

CREATE TRIGGER master_flows_audit_insert AFTER INSERT ON discovery.master_flows
    REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit.record('state');

CREATE TRIGGER master_flows_audit_update AFTER UPDATE ON discovery.master_flows
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit.record('state');

CREATE TRIGGER master_flows_audit_delete AFTER DELETE ON discovery.master_flows
    REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit.record('state');

ALTER TABLE discovery.master_flows ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY master_flows_tenant ON discovery.master_flows TO quarry_app, quarry_readonly
    USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid))
    WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));

CREATE POLICY master_flows_owner ON discovery.master_flows TO quarry_owner USING (true) WITH CHECK (true);

-- By column: the service begins every flow as initialized and sets no time by hand.
GRANT SELECT, DELETE ON discovery.master_flows TO quarry_app;

GRANT INSERT (tenant_id, id, project_id, flow_type, flow_name, current_phase, configuration, state, parent_flow_id,
              reason, created_by)
    ON discovery.master_flows TO quarry_app;

GRANT UPDATE (flow_name, status, current_phase, configuration, state, reason, error)
    ON discovery.master_flows TO quarry_app;

ALTER TABLE discovery.flow_transitions ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

-- For SELECT alone: the service cannot change what happened.
CREATE POLICY flow_transitions_tenant ON discovery.flow_transitions FOR SELECT TO quarry_app, quarry_readonly
    USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));

CREATE POLICY flow_transitions_owner ON discovery.flow_transitions TO quarry_owner USING (true) WITH CHECK (true);

GRANT SELECT ON discovery.flow_transitions TO quarry_app;

-- ---------------------------------------------------------------------------------------------
-- Imports

-- The key with the flow in it lets one foreign key of a raw record prove tenant, project, import and
-- flow together.
CREATE TABLE discovery.data_imports (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL DEFAULT uuidv7(),
    project_id uuid NOT NULL,
    master_flow_id uuid NOT NULL,
    name text NOT NULL,
    category text NOT NULL DEFAULT 'cmdb_export',
    file_name text,
    content_type text,
    size bigint NOT NULL,
    sha256 bytea NOT NULL,
    source_system text,
    status text NOT NULL DEFAULT 'loading',
    total_rows bigint NOT NULL DEFAULT 0,
    loaded_rows bigint NOT NULL DEFAULT 0,
    rejected_rows bigint NOT NULL DEFAULT 0,
    encoding text NOT NULL,
    delimiter text,
    header jsonb NOT NULL DEFAULT '[]',
    profile jsonb,
    imported_by uuid,
    error text,
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT data_imports_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT data_imports_project_id_key UNIQUE (tenant_id, id, project_id),
    CONSTRAINT data_imports_flow_key UNIQUE (tenant_id, id, project_id, master_flow_id),
    CONSTRAINT data_imports_master_flow_key UNIQUE (tenant_id, master_flow_id, project_id),
    CONSTRAINT data_imports_sha256_key UNIQUE (tenant_id, sha256, project_id),
    CONSTRAINT data_imports_master_flow_fkey FOREIGN KEY (tenant_id, project_id, master_flow_id)
        REFERENCES discovery.master_flows (tenant_id, project_id, id) ON DELETE CASCADE,
    CONSTRAINT data_imports_imported_by_fkey FOREIGN KEY (tenant_id, imported_by)
        REFERENCES workspace.users (tenant_id, id),
    CONSTRAINT data_imports_name_length CHECK (char_length(name) BETWEEN 1 AND 255),
    CONSTRAINT data_imports_category_known CHECK (
        category IN ('cmdb_export', 'app_discovery', 'infrastructure', 'sensitive_data')),
    CONSTRAINT data_imports_file_name_length CHECK (char_length(file_name) BETWEEN 1 AND 255),
    CONSTRAINT data_imports_content_type_length CHECK (char_length(content_type) BETWEEN 1 AND 255),
    CONSTRAINT data_imports_size_positive CHECK (size >= 1),
    CONSTRAINT data_imports_sha256_length CHECK (octet_length(sha256) = 32),
    CONSTRAINT data_imports_source_system_length CHECK (char_length(source_system) BETWEEN 1 AND 255),
    CONSTRAINT data_imports_status_known CHECK (
        status IN ('loading', 'loaded', 'validated', 'mapped', 'processed', 'failed', 'cancelled')),
    CONSTRAINT data_imports_rows_conserved CHECK (
        loaded_rows >= 0 AND rejected_rows >= 0 AND total_rows = loaded_rows + rejected_rows),
    CONSTRAINT data_imports_encoding_length CHECK (char_length(encoding) BETWEEN 1 AND 50),
    CONSTRAINT data_imports_delimiter_known CHECK (delimiter IN (',', ';', E'\t', '|')),
    CONSTRAINT data_imports_header_array CHECK (jsonb_typeof(header) = 'array'),
    CONSTRAINT data_imports_profile_object CHECK (jsonb_typeof(profile) = 'object'),
    CONSTRAINT data_imports_error_length CHECK (char_length(error) BETWEEN 1 AND 1000)
) WITH (fillfactor = 85);

CREATE INDEX data_imports_newest_idx ON discovery.data_imports (tenant_id, project_id, created_at DESC, id DESC);

CREATE INDEX data_imports_imported_by_idx ON discovery.data_imports (tenant_id, imported_by) WHERE imported_by IS NOT NULL;

-- As of master flows.
CREATE STATISTICS discovery.data_imports_of_project (dependencies, ndistinct)
    ON tenant_id, project_id FROM discovery.data_imports;

COMMENT ON STATISTICS discovery.data_imports_of_project IS 'That a project is of one tenant: makes the estimates of rows right.';

COMMENT ON TABLE discovery.data_imports IS 'Files that were uploaded. What was in them is in raw_records and stays as it came.';

COMMENT ON COLUMN discovery.data_imports.tenant_id IS 'The tenant that the row belongs to.';

COMMENT ON COLUMN discovery.data_imports.id IS 'Made by the database; ordered by time.';

COMMENT ON COLUMN discovery.data_imports.project_id IS 'The project.';

COMMENT ON COLUMN discovery.data_imports.master_flow_id IS 'The flow that works on it; one import each.';

COMMENT ON COLUMN discovery.data_imports.name IS 'What to call it, 1 to 255 characters.';

COMMENT ON COLUMN discovery.data_imports.category IS 'cmdb_export, app_discovery, infrastructure, sensitive_data.';

COMMENT ON COLUMN discovery.data_imports.file_name IS 'As the client called it; NULL: it did not.';

COMMENT ON COLUMN discovery.data_imports.content_type IS 'As the client said; NULL: it did not.';

COMMENT ON COLUMN discovery.data_imports.size IS 'Bytes of the file.';

COMMENT ON COLUMN discovery.data_imports.sha256 IS 'SHA-256 of the file: the same file in a project is the same import.';

COMMENT ON COLUMN discovery.data_imports.source_system IS 'Where it was exported from; NULL: not said.';

COMMENT ON COLUMN discovery.data_imports.status IS 'loading (inside of the upload alone), loaded, validated, mapped, processed, failed, cancelled.';

COMMENT ON COLUMN discovery.data_imports.total_rows IS 'Rows of the file, without its header.';

COMMENT ON COLUMN discovery.data_imports.loaded_rows IS 'Rows in raw_records; never changes.';

COMMENT ON COLUMN discovery.data_imports.rejected_rows IS 'Rows that could not be kept at all; total is loaded and these.';

COMMENT ON COLUMN discovery.data_imports.encoding IS 'As it was decoded, such as utf-8 or cp1252.';

COMMENT ON COLUMN discovery.data_imports.delimiter IS 'Of a delimited file; NULL: JSON.';

COMMENT ON COLUMN discovery.data_imports.header IS 'Names of the columns in their order, each once: a JSON array.';

COMMENT ON COLUMN discovery.data_imports.profile IS 'What validation found, per column: a JSON object; NULL: not yet.';

COMMENT ON COLUMN discovery.data_imports.imported_by IS 'The user who uploaded it; NULL: a key without a user.';

COMMENT ON COLUMN discovery.data_imports.error IS 'Why it failed; NULL otherwise.';

COMMENT ON COLUMN discovery.data_imports.version IS 'Counts changes; kept by a trigger. The ETag.';

COMMENT ON COLUMN discovery.data_imports.created_at IS 'When the row was made; never changes.';

COMMENT ON COLUMN discovery.data_imports.updated_at IS 'When the row last changed; kept by a trigger.';

CREATE FUNCTION discovery.keep_data_imports() RETURNS trigger
    LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM core.refuse_change('data_imports', changed.column_name)
       FROM (SELECT CASE
            WHEN NEW.project_id IS DISTINCT FROM OLD.project_id THEN 'project_id'
            WHEN NEW.master_flow_id IS DISTINCT FROM OLD.master_flow_id THEN 'master_flow_id'
            WHEN NEW.file_name IS DISTINCT FROM OLD.file_name THEN 'file_name'
            WHEN NEW.size IS DISTINCT FROM OLD.size THEN 'size'
            WHEN NEW.sha256 IS DISTINCT FROM OLD.sha256 THEN 'sha256'
            WHEN OLD.status <> 'loading' AND NEW.total_rows <> OLD.total_rows THEN 'total_rows'
            WHEN OLD.status <> 'loading' AND NEW.loaded_rows <> OLD.loaded_rows THEN 'loaded_rows'
            WHEN OLD.status <> 'loading' AND NEW.rejected_rows <> OLD.rejected_rows THEN 'rejected_rows'
            WHEN OLD.status <> 'loading' AND NEW.header <> OLD.header THEN 'header'
            WHEN NEW.imported_by IS DISTINCT FROM OLD.imported_by THEN 'imported_by'
            END AS column_name) AS changed
      WHERE changed.column_name IS NOT NULL;
    RETURN NEW;
END
$$;

COMMENT ON FUNCTION discovery.keep_data_imports() IS 'Refuses to change what a row was made with: data_imports_<column>_immutable.';

CREATE TRIGGER data_imports_keep
    BEFORE UPDATE OF project_id, master_flow_id, file_name, size, sha256, total_rows, loaded_rows, rejected_rows, header, imported_by
    ON discovery.data_imports
    FOR EACH ROW EXECUTE FUNCTION discovery.keep_data_imports();

CREATE TRIGGER data_imports_touch BEFORE UPDATE ON discovery.data_imports
    FOR EACH ROW EXECUTE FUNCTION core.touch_version();

CREATE TRIGGER data_imports_audit_insert AFTER INSERT ON discovery.data_imports
    REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit.record('profile', 'header');

CREATE TRIGGER data_imports_audit_update AFTER UPDATE ON discovery.data_imports
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit.record('profile', 'header');

CREATE TRIGGER data_imports_audit_delete AFTER DELETE ON discovery.data_imports
    REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit.record('profile', 'header');

ALTER TABLE discovery.data_imports ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY data_imports_tenant ON discovery.data_imports TO quarry_app, quarry_readonly
    USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid))
    WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));

CREATE POLICY data_imports_owner ON discovery.data_imports TO quarry_owner USING (true) WITH CHECK (true);

GRANT SELECT, INSERT, DELETE ON discovery.data_imports TO quarry_app;

GRANT UPDATE (name, status, total_rows, loaded_rows, rejected_rows, header, profile, error) ON discovery.data_imports TO quarry_app;

-- ---------------------------------------------------------------------------------------------
-- Discovery flows

CREATE FUNCTION discovery.phases_progress(phases jsonb) RETURNS integer
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (SELECT count(*)::integer * 100 / 8
              FROM unnest(ARRAY['upload', 'validation', 'mapping', 'cleansing', 'inventory', 'conflicts',
                                'dependencies', 'technical_debt']) AS phase (name)
             WHERE phases -> phase.name ->> 'status' IN ('completed', 'skipped'));

COMMENT ON FUNCTION discovery.phases_progress(jsonb) IS 'Which part of the eight phases is completed or skipped: 0 to 100.';

CREATE TABLE discovery.discovery_flows (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL DEFAULT uuidv7(),
    project_id uuid NOT NULL,
    master_flow_id uuid NOT NULL,
    data_import_id uuid NOT NULL,
    phases jsonb NOT NULL DEFAULT '{}',
    progress integer NOT NULL DEFAULT 0,
    assessment_ready boolean NOT NULL DEFAULT false,
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT discovery_flows_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT discovery_flows_flow_key UNIQUE (tenant_id, id, project_id, master_flow_id),
    CONSTRAINT discovery_flows_master_flow_key UNIQUE (tenant_id, master_flow_id, project_id),
    CONSTRAINT discovery_flows_master_flow_fkey FOREIGN KEY (tenant_id, project_id, master_flow_id)
        REFERENCES discovery.master_flows (tenant_id, project_id, id) ON DELETE CASCADE,
    CONSTRAINT discovery_flows_data_import_fkey FOREIGN KEY (tenant_id, project_id, data_import_id, master_flow_id)
        REFERENCES discovery.data_imports (tenant_id, project_id, id, master_flow_id) ON DELETE CASCADE,
    CONSTRAINT discovery_flows_phases_object CHECK (jsonb_typeof(phases) = 'object'),
    CONSTRAINT discovery_flows_progress_computed CHECK (progress BETWEEN 0 AND 100)
) WITH (fillfactor = 70);

CREATE INDEX discovery_flows_data_import_idx
    ON discovery.discovery_flows (tenant_id, data_import_id, project_id, master_flow_id);

-- A column that the service cannot name, computed whenever the row is written.
CREATE FUNCTION discovery.compute_progress() RETURNS trigger
    LANGUAGE plpgsql
AS $$
BEGIN
    NEW.progress := discovery.phases_progress(NEW.phases);
    RETURN NEW;
END
$$;

COMMENT ON FUNCTION discovery.compute_progress() IS 'Progress comes from the phases, whoever writes.';

CREATE TRIGGER discovery_flows_compute BEFORE INSERT OR UPDATE ON discovery.discovery_flows
    FOR EACH ROW EXECUTE FUNCTION discovery.compute_progress();

COMMENT ON TABLE discovery.discovery_flows IS 'What discovery knows of its master flow: the import and how far each phase is.';

COMMENT ON COLUMN discovery.discovery_flows.tenant_id IS 'The tenant that the row belongs to.';

COMMENT ON COLUMN discovery.discovery_flows.id IS 'Made by the database; ordered by time.';

COMMENT ON COLUMN discovery.discovery_flows.project_id IS 'The project.';

COMMENT ON COLUMN discovery.discovery_flows.master_flow_id IS 'The flow; one each.';

COMMENT ON COLUMN discovery.discovery_flows.data_import_id IS 'The import, of the same flow.';

COMMENT ON COLUMN discovery.discovery_flows.phases IS 'Per phase an object with status (pending, running, waiting, completed, skipped, failed), times and counts.';

COMMENT ON COLUMN discovery.discovery_flows.progress IS '0 to 100, from the phases; kept by a trigger.';

COMMENT ON COLUMN discovery.discovery_flows.assessment_ready IS 'Whether its assets can be assessed.';

COMMENT ON COLUMN discovery.discovery_flows.version IS 'Counts changes; kept by a trigger.';

COMMENT ON COLUMN discovery.discovery_flows.created_at IS 'When the row was made; never changes.';

COMMENT ON COLUMN discovery.discovery_flows.updated_at IS 'When the row last changed; kept by a trigger.';

CREATE FUNCTION discovery.keep_discovery_flows() RETURNS trigger
    LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM core.refuse_change('discovery_flows', changed.column_name)
       FROM (SELECT CASE
            WHEN NEW.project_id IS DISTINCT FROM OLD.project_id THEN 'project_id'
            WHEN NEW.master_flow_id IS DISTINCT FROM OLD.master_flow_id THEN 'master_flow_id'
            WHEN NEW.data_import_id IS DISTINCT FROM OLD.data_import_id THEN 'data_import_id'
            END AS column_name) AS changed
      WHERE changed.column_name IS NOT NULL;
    RETURN NEW;
END
$$;

COMMENT ON FUNCTION discovery.keep_discovery_flows() IS 'Refuses to change what a row was made with: discovery_flows_<column>_immutable.';

CREATE TRIGGER discovery_flows_keep
    BEFORE UPDATE OF project_id, master_flow_id, data_import_id
    ON discovery.discovery_flows
    FOR EACH ROW EXECUTE FUNCTION discovery.keep_discovery_flows();

CREATE TRIGGER discovery_flows_touch BEFORE UPDATE ON discovery.discovery_flows
    FOR EACH ROW EXECUTE FUNCTION core.touch_version();

CREATE TRIGGER discovery_flows_audit_insert AFTER INSERT ON discovery.discovery_flows
    REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit.record();

CREATE TRIGGER discovery_flows_audit_update AFTER UPDATE ON discovery.discovery_flows
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit.record();

CREATE TRIGGER discovery_flows_audit_delete AFTER DELETE ON discovery.discovery_flows
    REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit.record();

ALTER TABLE discovery.discovery_flows ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY discovery_flows_tenant ON discovery.discovery_flows TO quarry_app, quarry_readonly
    USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid))
    WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));

CREATE POLICY discovery_flows_owner ON discovery.discovery_flows TO quarry_owner USING (true) WITH CHECK (true);

GRANT SELECT, DELETE ON discovery.discovery_flows TO quarry_app;

GRANT INSERT (tenant_id, id, project_id, master_flow_id, data_import_id, phases) ON discovery.discovery_flows TO quarry_app;

GRANT UPDATE (phases, assessment_ready) ON discovery.discovery_flows TO quarry_app;

-- ---------------------------------------------------------------------------------------------
-- Mappings

CREATE TABLE discovery.field_mappings (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL DEFAULT uuidv7(),
    project_id uuid NOT NULL,
    data_import_id uuid NOT NULL,
    position integer NOT NULL DEFAULT 1,
    source_field text NOT NULL,
    target_field text NOT NULL,
    match_type text NOT NULL,
    confidence numeric(4, 3) NOT NULL,
    reason text,
    status text NOT NULL DEFAULT 'suggested',
    transformation text,
    decided_by uuid,
    decided_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT field_mappings_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT field_mappings_source_field_key UNIQUE (tenant_id, data_import_id, project_id, source_field),
    CONSTRAINT field_mappings_data_import_fkey FOREIGN KEY (tenant_id, project_id, data_import_id)
        REFERENCES discovery.data_imports (tenant_id, project_id, id) ON DELETE CASCADE,
    CONSTRAINT field_mappings_decided_by_fkey FOREIGN KEY (tenant_id, decided_by)
        REFERENCES workspace.users (tenant_id, id),
    CONSTRAINT field_mappings_position_positive CHECK (position >= 1),
    CONSTRAINT field_mappings_source_field_length CHECK (char_length(source_field) BETWEEN 1 AND 255),
    CONSTRAINT field_mappings_target_field_shape CHECK (target_field ~ '^[a-z][a-z0-9_]{0,62}$'),
    CONSTRAINT field_mappings_match_type_known CHECK (
        match_type IN ('exact', 'synonym', 'similar', 'value', 'manual', 'none')),
    CONSTRAINT field_mappings_confidence_range CHECK (confidence BETWEEN 0 AND 1),
    CONSTRAINT field_mappings_reason_length CHECK (char_length(reason) BETWEEN 1 AND 1000),
    CONSTRAINT field_mappings_status_known CHECK (status IN ('suggested', 'approved', 'rejected')),
    CONSTRAINT field_mappings_transformation_length CHECK (char_length(transformation) BETWEEN 1 AND 255),
    CONSTRAINT field_mappings_decided_at_fits CHECK ((status = 'suggested') = (decided_at IS NULL))
) WITH (fillfactor = 85);

CREATE INDEX field_mappings_decided_by_idx ON discovery.field_mappings (tenant_id, decided_by) WHERE decided_by IS NOT NULL;

COMMENT ON TABLE discovery.field_mappings IS 'Which column of an import is which field of an asset.';

COMMENT ON COLUMN discovery.field_mappings.tenant_id IS 'The tenant that the row belongs to.';

COMMENT ON COLUMN discovery.field_mappings.id IS 'Made by the database; ordered by time.';

COMMENT ON COLUMN discovery.field_mappings.project_id IS 'The project.';

COMMENT ON COLUMN discovery.field_mappings.data_import_id IS 'The import.';

COMMENT ON COLUMN discovery.field_mappings.position IS 'Of the column in the file, from 1.';

COMMENT ON COLUMN discovery.field_mappings.source_field IS 'The name of the column, as in the header.';

COMMENT ON COLUMN discovery.field_mappings.target_field IS 'Field of an asset; custom keeps the column in custom.';

COMMENT ON COLUMN discovery.field_mappings.match_type IS 'How it was found: exact, synonym, similar, value; manual: by somebody; none: nothing fits.';

COMMENT ON COLUMN discovery.field_mappings.confidence IS '0 to 1.';

COMMENT ON COLUMN discovery.field_mappings.reason IS 'Why it was suggested, in words.';

COMMENT ON COLUMN discovery.field_mappings.status IS 'suggested, approved, rejected.';

COMMENT ON COLUMN discovery.field_mappings.transformation IS 'How values are changed beyond cleansing; NULL: not.';

COMMENT ON COLUMN discovery.field_mappings.decided_by IS 'The user who approved or rejected; NULL: a key without a user.';

COMMENT ON COLUMN discovery.field_mappings.decided_at IS 'When it was approved or rejected; NULL: not yet.';

COMMENT ON COLUMN discovery.field_mappings.created_at IS 'When the row was made; never changes.';

COMMENT ON COLUMN discovery.field_mappings.updated_at IS 'When the row last changed; kept by a trigger.';

CREATE FUNCTION discovery.keep_field_mappings() RETURNS trigger
    LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM core.refuse_change('field_mappings', changed.column_name)
       FROM (SELECT CASE
            WHEN NEW.project_id IS DISTINCT FROM OLD.project_id THEN 'project_id'
            WHEN NEW.data_import_id IS DISTINCT FROM OLD.data_import_id THEN 'data_import_id'
            WHEN NEW.source_field IS DISTINCT FROM OLD.source_field THEN 'source_field'
            END AS column_name) AS changed
      WHERE changed.column_name IS NOT NULL;
    RETURN NEW;
END
$$;

COMMENT ON FUNCTION discovery.keep_field_mappings() IS 'Refuses to change what a row was made with: field_mappings_<column>_immutable.';

CREATE TRIGGER field_mappings_keep
    BEFORE UPDATE OF project_id, data_import_id, source_field
    ON discovery.field_mappings
    FOR EACH ROW EXECUTE FUNCTION discovery.keep_field_mappings();

CREATE TRIGGER field_mappings_touch BEFORE UPDATE ON discovery.field_mappings
    FOR EACH ROW EXECUTE FUNCTION core.touch();

CREATE TRIGGER field_mappings_audit_insert AFTER INSERT ON discovery.field_mappings
    REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit.record();

CREATE TRIGGER field_mappings_audit_update AFTER UPDATE ON discovery.field_mappings
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit.record();

CREATE TRIGGER field_mappings_audit_delete AFTER DELETE ON discovery.field_mappings
    REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit.record();

ALTER TABLE discovery.field_mappings ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY field_mappings_tenant ON discovery.field_mappings TO quarry_app, quarry_readonly
    USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid))
    WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));

CREATE POLICY field_mappings_owner ON discovery.field_mappings TO quarry_owner USING (true) WITH CHECK (true);

GRANT SELECT, INSERT, UPDATE, DELETE ON discovery.field_mappings TO quarry_app;

-- Called with the rights of whoever writes: by triggers and by a generated column.
GRANT EXECUTE ON FUNCTION discovery.phase_progress(text), discovery.phases_progress(jsonb), discovery.flow_steps(text)
    TO quarry_app;
