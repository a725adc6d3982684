-- depends: 0019-cases-dictionary
-- Cases: documents as append-only versions, and the tables that are a projection of them.

SET LOCAL lock_timeout = '3s';

SET LOCAL statement_timeout = '60s';

SET LOCAL ROLE quarry_owner;

CREATE TABLE cases.cases (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL DEFAULT uuidv7(),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    project_id uuid NOT NULL,
    case_id text NOT NULL,
    case_type text NOT NULL DEFAULT 'onboarding',
    title text,
    priority text NOT NULL DEFAULT 'normal',
    jurisdiction text,
    customer_name text,
    assigned_to text,
    state text NOT NULL DEFAULT 'created',
    status text NOT NULL GENERATED ALWAYS AS (CASE WHEN state IN ('approved', 'active') THEN 'approved'
                                                WHEN state IN ('rejected', 'closed', 'suspended') THEN state
                                                ELSE 'open' END) STORED,
    current_version integer NOT NULL DEFAULT 0,
    attributes jsonb NOT NULL DEFAULT '{}',
    CONSTRAINT cases_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT cases_project_fkey FOREIGN KEY (tenant_id, project_id)
        REFERENCES workspace.projects (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT cases_case_id_key UNIQUE (tenant_id, project_id, case_id),
    CONSTRAINT cases_case_id_shape CHECK (char_length(case_id) BETWEEN 1 AND 200 AND case_id !~ '[[:cntrl:]]'),
    CONSTRAINT cases_case_type_length CHECK (char_length(case_type) BETWEEN 1 AND 100),
    CONSTRAINT cases_title_length CHECK (char_length(title) <= 1000),
    CONSTRAINT cases_priority_known CHECK (priority IN ('low', 'normal', 'high', 'urgent')),
    CONSTRAINT cases_current_version_range CHECK (current_version >= 0),
    CONSTRAINT cases_attributes_object CHECK (jsonb_typeof(attributes) = 'object')
);

CREATE INDEX cases_changed_idx ON cases.cases (tenant_id, project_id, updated_at DESC, id DESC);

COMMENT ON TABLE cases.cases IS 'Cases. A row is what its versions say; the versions are the truth.';

COMMENT ON COLUMN cases.cases.tenant_id IS 'The tenant that the row belongs to.';

COMMENT ON COLUMN cases.cases.id IS 'Made by the database; ordered by time.';

COMMENT ON COLUMN cases.cases.created_at IS 'When the row was made; never changes.';

COMMENT ON COLUMN cases.cases.updated_at IS 'When the row last changed; kept by a trigger.';

COMMENT ON COLUMN cases.cases.project_id IS 'The project.';

COMMENT ON COLUMN cases.cases.case_id IS 'The case, by the id that its document gives it.';

COMMENT ON COLUMN cases.cases.case_type IS 'Kind of case.';

COMMENT ON COLUMN cases.cases.title IS 'Title.';

COMMENT ON COLUMN cases.cases.priority IS 'low, normal, high or urgent.';

COMMENT ON COLUMN cases.cases.jurisdiction IS 'Where it is about.';

COMMENT ON COLUMN cases.cases.customer_name IS 'Who it is about.';

COMMENT ON COLUMN cases.cases.assigned_to IS 'Who works on it.';

COMMENT ON COLUMN cases.cases.state IS 'Where it is in the state machine (cases.transitions).';

COMMENT ON COLUMN cases.cases.status IS 'open, approved, rejected, suspended or closed: what the state comes to.';

COMMENT ON COLUMN cases.cases.current_version IS 'The last version: the ETag. Kept by the trigger of case_versions.';

COMMENT ON COLUMN cases.cases.attributes IS 'What was said beyond the columns.';

CREATE TRIGGER cases_touch BEFORE UPDATE ON cases.cases
    FOR EACH ROW EXECUTE FUNCTION core.touch();

CREATE TRIGGER cases_audit_insert AFTER INSERT ON cases.cases
    REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit.record();

CREATE TRIGGER cases_audit_update AFTER UPDATE ON cases.cases
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit.record();

CREATE TRIGGER cases_audit_delete AFTER DELETE ON cases.cases
    REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit.record();

ALTER TABLE cases.cases ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY cases_tenant ON cases.cases TO quarry_app, quarry_readonly
    USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid))
    WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));

CREATE POLICY cases_owner ON cases.cases TO quarry_owner USING (true) WITH CHECK (true);

GRANT SELECT, INSERT, UPDATE, DELETE ON cases.cases TO quarry_app;

CREATE FUNCTION cases.keep_to_transitions() RETURNS trigger
    LANGUAGE plpgsql
AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM cases.transitions AS t WHERE t.from_state = OLD.state AND t.to_state = NEW.state) THEN
        RAISE EXCEPTION 'a case cannot go from % to %', OLD.state, NEW.state
            USING ERRCODE = 'QRY01', TABLE = 'cases', COLUMN = 'state';
    END IF;
    RETURN NEW;
END
$$;

COMMENT ON FUNCTION cases.keep_to_transitions() IS 'Refuses a step that the state machine does not have: QRY01.';

-- Not while a case is taken back to what an older version said: that is no step of the machine.
CREATE TRIGGER cases_keep_to_transitions BEFORE UPDATE OF state ON cases.cases
    FOR EACH ROW WHEN (NEW.state <> OLD.state AND current_setting('app.case_reset', true) IS DISTINCT FROM 'on')
    EXECUTE FUNCTION cases.keep_to_transitions();

-- Step by step, so that each one is held against the state machine, and in one statement of the service.
CREATE FUNCTION cases.apply_transitions(project uuid, steps jsonb) RETURNS TABLE (form integer, updated integer)
    LANGUAGE plpgsql
AS $$
DECLARE
    step record;
BEGIN
    FOR step IN
        SELECT s.form, s.case_id, s.to_state
          FROM ROWS FROM (jsonb_to_recordset(steps) AS (form integer, case_id text, to_state text))
               WITH ORDINALITY AS s (form, case_id, to_state, ordinal)
         ORDER BY s.ordinal
    LOOP
        UPDATE cases.cases AS c
           SET state = step.to_state
         WHERE c.tenant_id = core.current_tenant() AND c.project_id = project AND c.case_id = step.case_id;
        form := step.form;
        GET DIAGNOSTICS updated = ROW_COUNT;
        RETURN NEXT;
    END LOOP;
END
$$;

COMMENT ON FUNCTION cases.apply_transitions(uuid, jsonb) IS 'Moves cases along: [{form, case_id, to_state}] in order; answers the rows updated per form. Refuses a step that the state machine does not have.';

GRANT EXECUTE ON FUNCTION cases.apply_transitions(uuid, jsonb) TO quarry_app;

CREATE TABLE cases.case_versions (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL DEFAULT uuidv7(),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    project_id uuid NOT NULL,
    case_id text NOT NULL,
    version integer NOT NULL,
    dsl text NOT NULL,
    ast jsonb NOT NULL,
    sha256 bytea NOT NULL,
    change_kind text NOT NULL,
    base_version integer,
    operation_id uuid NOT NULL,
    author text NOT NULL DEFAULT coalesce(nullif(current_setting('app.actor', true), ''), session_user),
    request_id text DEFAULT nullif(current_setting('app.request_id', true), ''),
    CONSTRAINT case_versions_pkey PRIMARY KEY (tenant_id, project_id, case_id, version),
    CONSTRAINT case_versions_case_fkey FOREIGN KEY (tenant_id, project_id, case_id)
        REFERENCES cases.cases (tenant_id, project_id, case_id) ON DELETE CASCADE,
    CONSTRAINT case_versions_version_range CHECK (version >= 1),
    CONSTRAINT case_versions_change_kind_known CHECK (change_kind IN ('new', 'append', 'replace', 'rollback', 'template')),
    CONSTRAINT case_versions_new_is_first CHECK ((change_kind IN ('new', 'template')) = (version = 1))
);

CREATE INDEX case_versions_operation_idx ON cases.case_versions (tenant_id, operation_id);

CREATE INDEX case_versions_order_idx ON cases.case_versions (tenant_id, project_id, id);

COMMENT ON TABLE cases.case_versions IS 'The documents of a case in order: append-only, numbered without gaps.';

COMMENT ON COLUMN cases.case_versions.tenant_id IS 'The tenant that the row belongs to.';

COMMENT ON COLUMN cases.case_versions.id IS 'Made by the database; ordered by time.';

COMMENT ON COLUMN cases.case_versions.created_at IS 'When the row was made; never changes.';

COMMENT ON COLUMN cases.case_versions.project_id IS 'The project.';

COMMENT ON COLUMN cases.case_versions.case_id IS 'The case, by the id that its document gives it.';

COMMENT ON COLUMN cases.case_versions.version IS 'From 1, without gaps.';

COMMENT ON COLUMN cases.case_versions.dsl IS 'The document as it was sent; of a document about several cases, the forms of this one.';

COMMENT ON COLUMN cases.case_versions.ast IS 'The document, parsed.';

COMMENT ON COLUMN cases.case_versions.sha256 IS 'Of dsl in UTF-8; made by a trigger.';

COMMENT ON COLUMN cases.case_versions.change_kind IS 'new, append, replace, rollback or template.';

COMMENT ON COLUMN cases.case_versions.base_version IS 'rollback: the version that it goes back to.';

COMMENT ON COLUMN cases.case_versions.operation_id IS 'The operation that made it.';

COMMENT ON COLUMN cases.case_versions.author IS 'Who.';

COMMENT ON COLUMN cases.case_versions.request_id IS 'X-Request-ID.';

ALTER TABLE cases.case_versions ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY case_versions_tenant ON cases.case_versions TO quarry_app, quarry_readonly
    USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid))
    WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));

CREATE POLICY case_versions_owner ON cases.case_versions TO quarry_owner USING (true) WITH CHECK (true);

GRANT SELECT, INSERT ON cases.case_versions TO quarry_app;

-- Taking the number is what makes two writers of one case wait for each other; the second one finds
-- the number taken.
CREATE FUNCTION cases.number_version() RETURNS trigger
    LANGUAGE plpgsql
AS $$
BEGIN
    UPDATE cases.cases AS c
       SET current_version = NEW.version
     WHERE c.tenant_id = NEW.tenant_id AND c.project_id = NEW.project_id AND c.case_id = NEW.case_id
       AND c.current_version = NEW.version - 1;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'version % is not the next one', NEW.version
            USING ERRCODE = 'QRY02', TABLE = 'case_versions', CONSTRAINT = 'case_versions_gapless';
    END IF;
    NEW.sha256 := sha256(convert_to(NEW.dsl, 'UTF8'));
    RETURN NEW;
END
$$;

COMMENT ON FUNCTION cases.number_version() IS 'Refuses a version that is not the next one, and counts the case on: case_versions_gapless.';

CREATE TRIGGER case_versions_number BEFORE INSERT ON cases.case_versions
    FOR EACH ROW EXECUTE FUNCTION cases.number_version();

CREATE FUNCTION cases.refuse_change() RETURNS trigger
    LANGUAGE plpgsql
AS $$
BEGIN
    RAISE EXCEPTION '% never change', TG_TABLE_NAME
        USING ERRCODE = 'QRY03', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_TABLE_NAME || '_immutable';
END
$$;

COMMENT ON FUNCTION cases.refuse_change() IS 'Refuses every UPDATE: QRY03.';

CREATE TRIGGER case_versions_immutable BEFORE UPDATE ON cases.case_versions
    FOR EACH STATEMENT EXECUTE FUNCTION cases.refuse_change();

CREATE TABLE cases.entities (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL DEFAULT uuidv7(),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    project_id uuid NOT NULL,
    entity_id text NOT NULL,
    case_id text,
    entity_type text NOT NULL,
    name text,
    jurisdiction text,
    props jsonb NOT NULL DEFAULT '{}',
    CONSTRAINT entities_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT entities_project_fkey FOREIGN KEY (tenant_id, project_id)
        REFERENCES workspace.projects (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT entities_entity_id_key UNIQUE (tenant_id, project_id, entity_id),
    CONSTRAINT entities_entity_id_shape CHECK (char_length(entity_id) BETWEEN 1 AND 200 AND entity_id !~ '[[:cntrl:]]'),
    CONSTRAINT entities_entity_type_shape CHECK (entity_type ~ '^[a-z][a-z0-9_]{0,99}$'),
    CONSTRAINT entities_name_length CHECK (char_length(name) <= 1000),
    CONSTRAINT entities_props_object CHECK (jsonb_typeof(props) = 'object')
);

CREATE INDEX entities_origin_idx ON cases.entities (tenant_id, project_id, case_id);

COMMENT ON TABLE cases.entities IS 'Companies, persons, trusts, funds: what cases are about.';

COMMENT ON COLUMN cases.entities.tenant_id IS 'The tenant that the row belongs to.';

COMMENT ON COLUMN cases.entities.id IS 'Made by the database; ordered by time.';

COMMENT ON COLUMN cases.entities.created_at IS 'When the row was made; never changes.';

COMMENT ON COLUMN cases.entities.updated_at IS 'When the row last changed; kept by a trigger.';

COMMENT ON COLUMN cases.entities.project_id IS 'The project.';

COMMENT ON COLUMN cases.entities.entity_id IS 'Unique in the project.';

COMMENT ON COLUMN cases.entities.case_id IS 'The case whose document said it; NULL when it belongs to none.';

COMMENT ON COLUMN cases.entities.entity_type IS 'Legal form, such as limited_company, proper_person, hedge_fund.';

COMMENT ON COLUMN cases.entities.name IS 'Name.';

COMMENT ON COLUMN cases.entities.jurisdiction IS 'Where it is registered or lives.';

COMMENT ON COLUMN cases.entities.props IS 'What was said beyond the columns.';

CREATE TRIGGER entities_touch BEFORE UPDATE ON cases.entities
    FOR EACH ROW EXECUTE FUNCTION core.touch();

CREATE TRIGGER entities_audit_insert AFTER INSERT ON cases.entities
    REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit.record();

CREATE TRIGGER entities_audit_update AFTER UPDATE ON cases.entities
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit.record();

CREATE TRIGGER entities_audit_delete AFTER DELETE ON cases.entities
    REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit.record();

ALTER TABLE cases.entities ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY entities_tenant ON cases.entities TO quarry_app, quarry_readonly
    USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid))
    WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));

CREATE POLICY entities_owner ON cases.entities TO quarry_owner USING (true) WITH CHECK (true);

GRANT SELECT, INSERT, UPDATE, DELETE ON cases.entities TO quarry_app;

CREATE TABLE cases.entity_links (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL DEFAULT uuidv7(),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    project_id uuid NOT NULL,
    from_entity text NOT NULL,
    to_entity text NOT NULL,
    case_id text,
    relationship_type text NOT NULL,
    ownership_percent numeric,
    verification text NOT NULL DEFAULT 'pending',
    evidence jsonb NOT NULL DEFAULT '[]',
    props jsonb NOT NULL DEFAULT '{}',
    CONSTRAINT entity_links_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT entity_links_project_fkey FOREIGN KEY (tenant_id, project_id)
        REFERENCES workspace.projects (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT entity_links_from_entity_fkey FOREIGN KEY (tenant_id, project_id, from_entity)
        REFERENCES cases.entities (tenant_id, project_id, entity_id) ON DELETE CASCADE,
    CONSTRAINT entity_links_to_entity_fkey FOREIGN KEY (tenant_id, project_id, to_entity)
        REFERENCES cases.entities (tenant_id, project_id, entity_id) ON DELETE CASCADE,
    CONSTRAINT entity_links_ends_key UNIQUE (tenant_id, project_id, from_entity, to_entity, relationship_type),
    CONSTRAINT entity_links_ends_differ CHECK (from_entity <> to_entity),
    CONSTRAINT entity_links_relationship_type_length CHECK (char_length(relationship_type) BETWEEN 1 AND 100),
    CONSTRAINT entity_links_ownership_percent_range CHECK (ownership_percent BETWEEN 0 AND 100),
    CONSTRAINT entity_links_verification_known CHECK (verification IN ('pending', 'verified', 'rejected', 'expired')),
    CONSTRAINT entity_links_evidence_array CHECK (jsonb_typeof(evidence) = 'array'),
    CONSTRAINT entity_links_evidence_given CHECK (verification <> 'verified' OR jsonb_array_length(evidence) > 0),
    CONSTRAINT entity_links_props_object CHECK (jsonb_typeof(props) = 'object')
);

CREATE INDEX entity_links_owned_idx ON cases.entity_links (tenant_id, project_id, to_entity) INCLUDE (from_entity, ownership_percent);

CREATE INDEX entity_links_origin_idx ON cases.entity_links (tenant_id, project_id, case_id);

COMMENT ON TABLE cases.entity_links IS 'Who owns, controls or serves whom.';

COMMENT ON COLUMN cases.entity_links.tenant_id IS 'The tenant that the row belongs to.';

COMMENT ON COLUMN cases.entity_links.id IS 'Made by the database; ordered by time.';

COMMENT ON COLUMN cases.entity_links.created_at IS 'When the row was made; never changes.';

COMMENT ON COLUMN cases.entity_links.updated_at IS 'When the row last changed; kept by a trigger.';

COMMENT ON COLUMN cases.entity_links.project_id IS 'The project.';

COMMENT ON COLUMN cases.entity_links.from_entity IS 'The owner, the one in control, the one who serves.';

COMMENT ON COLUMN cases.entity_links.to_entity IS 'The owned, the controlled, the served.';

COMMENT ON COLUMN cases.entity_links.case_id IS 'The case whose document said it; NULL when it belongs to none.';

COMMENT ON COLUMN cases.entity_links.relationship_type IS 'Kind of link, such as ownership.';

COMMENT ON COLUMN cases.entity_links.ownership_percent IS 'Share that from holds of to; NULL when the link is none of ownership.';

COMMENT ON COLUMN cases.entity_links.verification IS 'pending, verified, rejected or expired.';

COMMENT ON COLUMN cases.entity_links.evidence IS 'Ids of documents that prove it.';

COMMENT ON COLUMN cases.entity_links.props IS 'What was said beyond the columns.';

CREATE TRIGGER entity_links_touch BEFORE UPDATE ON cases.entity_links
    FOR EACH ROW EXECUTE FUNCTION core.touch();

CREATE TRIGGER entity_links_audit_insert AFTER INSERT ON cases.entity_links
    REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit.record();

CREATE TRIGGER entity_links_audit_update AFTER UPDATE ON cases.entity_links
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit.record();

CREATE TRIGGER entity_links_audit_delete AFTER DELETE ON cases.entity_links
    REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit.record();

ALTER TABLE cases.entity_links ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY entity_links_tenant ON cases.entity_links TO quarry_app, quarry_readonly
    USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid))
    WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));

CREATE POLICY entity_links_owner ON cases.entity_links TO quarry_owner USING (true) WITH CHECK (true);

GRANT SELECT, INSERT, UPDATE, DELETE ON cases.entity_links TO quarry_app;

-- Two documents that each add 60 % at the same moment do not see each other. So both take the lock on
-- the owned entity first: the second one waits, and then sums with a snapshot that shows the first.
CREATE FUNCTION cases.keep_ownership_sum() RETURNS trigger
    LANGUAGE plpgsql
AS $$
DECLARE
    over record;
BEGIN
    PERFORM 1
       FROM cases.entities AS e
      WHERE (e.tenant_id, e.project_id, e.entity_id) IN (
            SELECT n.tenant_id, n.project_id, n.to_entity FROM new_rows AS n WHERE n.ownership_percent IS NOT NULL)
      ORDER BY e.entity_id
        FOR NO KEY UPDATE;
    SELECT l.to_entity, sum(l.ownership_percent) AS total
      INTO over
      FROM cases.entity_links AS l
     WHERE (l.tenant_id, l.project_id, l.to_entity) IN (
           SELECT n.tenant_id, n.project_id, n.to_entity FROM new_rows AS n WHERE n.ownership_percent IS NOT NULL)
     GROUP BY l.tenant_id, l.project_id, l.to_entity
    HAVING sum(l.ownership_percent) > 100
     ORDER BY l.to_entity
     LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'the owners of % hold % %% together', over.to_entity, over.total
            USING ERRCODE = 'check_violation', TABLE = 'entity_links', CONSTRAINT = 'entity_links_ownership_sum';
    END IF;
    RETURN NULL;
END
$$;

COMMENT ON FUNCTION cases.keep_ownership_sum() IS 'Refuses that the owners of an entity hold more than 100 % together: entity_links_ownership_sum.';

CREATE TRIGGER entity_links_sum_insert AFTER INSERT ON cases.entity_links
    REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION cases.keep_ownership_sum();

CREATE TRIGGER entity_links_sum_update AFTER UPDATE ON cases.entity_links
    REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION cases.keep_ownership_sum();

CREATE TABLE cases.case_roles (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL DEFAULT uuidv7(),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    project_id uuid NOT NULL,
    case_id text NOT NULL,
    entity_id text NOT NULL,
    role text NOT NULL,
    props jsonb NOT NULL DEFAULT '{}',
    CONSTRAINT case_roles_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT case_roles_case_fkey FOREIGN KEY (tenant_id, project_id, case_id)
        REFERENCES cases.cases (tenant_id, project_id, case_id) ON DELETE CASCADE,
    CONSTRAINT case_roles_entity_id_fkey FOREIGN KEY (tenant_id, project_id, entity_id)
        REFERENCES cases.entities (tenant_id, project_id, entity_id) ON DELETE CASCADE,
    CONSTRAINT case_roles_role_key UNIQUE (tenant_id, project_id, case_id, entity_id, role),
    CONSTRAINT case_roles_role_length CHECK (char_length(role) BETWEEN 1 AND 200),
    CONSTRAINT case_roles_props_object CHECK (jsonb_typeof(props) = 'object')
);

CREATE INDEX case_roles_entity_idx ON cases.case_roles (tenant_id, project_id, entity_id);

COMMENT ON TABLE cases.case_roles IS 'Which entity plays which role in a case.';

COMMENT ON COLUMN cases.case_roles.tenant_id IS 'The tenant that the row belongs to.';

COMMENT ON COLUMN cases.case_roles.id IS 'Made by the database; ordered by time.';

COMMENT ON COLUMN cases.case_roles.created_at IS 'When the row was made; never changes.';

COMMENT ON COLUMN cases.case_roles.updated_at IS 'When the row last changed; kept by a trigger.';

COMMENT ON COLUMN cases.case_roles.project_id IS 'The project.';

COMMENT ON COLUMN cases.case_roles.case_id IS 'The case, by the id that its document gives it.';

COMMENT ON COLUMN cases.case_roles.entity_id IS 'The entity.';

COMMENT ON COLUMN cases.case_roles.role IS 'The role.';

COMMENT ON COLUMN cases.case_roles.props IS 'What was said beyond the columns.';

CREATE TRIGGER case_roles_touch BEFORE UPDATE ON cases.case_roles
    FOR EACH ROW EXECUTE FUNCTION core.touch();

CREATE TRIGGER case_roles_audit_insert AFTER INSERT ON cases.case_roles
    REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit.record();

CREATE TRIGGER case_roles_audit_update AFTER UPDATE ON cases.case_roles
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit.record();

CREATE TRIGGER case_roles_audit_delete AFTER DELETE ON cases.case_roles
    REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit.record();

ALTER TABLE cases.case_roles ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY case_roles_tenant ON cases.case_roles TO quarry_app, quarry_readonly
    USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid))
    WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));

CREATE POLICY case_roles_owner ON cases.case_roles TO quarry_owner USING (true) WITH CHECK (true);

GRANT SELECT, INSERT, UPDATE, DELETE ON cases.case_roles TO quarry_app;

CREATE TABLE cases.case_documents (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL DEFAULT uuidv7(),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    project_id uuid NOT NULL,
    case_id text NOT NULL,
    document_id text NOT NULL,
    document_type text NOT NULL,
    title text,
    status text NOT NULL DEFAULT 'requested',
    entity_id text,
    props jsonb NOT NULL DEFAULT '{}',
    CONSTRAINT case_documents_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT case_documents_case_fkey FOREIGN KEY (tenant_id, project_id, case_id)
        REFERENCES cases.cases (tenant_id, project_id, case_id) ON DELETE CASCADE,
    CONSTRAINT case_documents_entity_id_fkey FOREIGN KEY (tenant_id, project_id, entity_id)
        REFERENCES cases.entities (tenant_id, project_id, entity_id) ON DELETE CASCADE,
    CONSTRAINT case_documents_document_id_key UNIQUE (tenant_id, project_id, case_id, document_id),
    CONSTRAINT case_documents_document_id_shape CHECK (char_length(document_id) BETWEEN 1 AND 200 AND document_id !~ '[[:cntrl:]]'),
    CONSTRAINT case_documents_document_type_length CHECK (char_length(document_type) BETWEEN 1 AND 200),
    CONSTRAINT case_documents_status_known CHECK (status IN ('requested', 'received', 'verified', 'rejected', 'expired', 'amended', 'extracted')),
    CONSTRAINT case_documents_props_object CHECK (jsonb_typeof(props) = 'object')
);

CREATE INDEX case_documents_document_idx ON cases.case_documents (tenant_id, project_id, document_id);

CREATE INDEX case_documents_entity_idx ON cases.case_documents (tenant_id, project_id, entity_id);

COMMENT ON TABLE cases.case_documents IS 'The catalog of a case''s documents.';

COMMENT ON COLUMN cases.case_documents.tenant_id IS 'The tenant that the row belongs to.';

COMMENT ON COLUMN cases.case_documents.id IS 'Made by the database; ordered by time.';

COMMENT ON COLUMN cases.case_documents.created_at IS 'When the row was made; never changes.';

COMMENT ON COLUMN cases.case_documents.updated_at IS 'When the row last changed; kept by a trigger.';

COMMENT ON COLUMN cases.case_documents.project_id IS 'The project.';

COMMENT ON COLUMN cases.case_documents.case_id IS 'The case, by the id that its document gives it.';

COMMENT ON COLUMN cases.case_documents.document_id IS 'Unique in the case.';

COMMENT ON COLUMN cases.case_documents.document_type IS 'Type of document.';

COMMENT ON COLUMN cases.case_documents.title IS 'Title.';

COMMENT ON COLUMN cases.case_documents.status IS 'requested, received, verified, rejected, expired, amended or extracted.';

COMMENT ON COLUMN cases.case_documents.entity_id IS 'The entity that it is about.';

COMMENT ON COLUMN cases.case_documents.props IS 'What was said beyond the columns.';

CREATE TRIGGER case_documents_touch BEFORE UPDATE ON cases.case_documents
    FOR EACH ROW EXECUTE FUNCTION core.touch();

CREATE TRIGGER case_documents_audit_insert AFTER INSERT ON cases.case_documents
    REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit.record();

CREATE TRIGGER case_documents_audit_update AFTER UPDATE ON cases.case_documents
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit.record();

CREATE TRIGGER case_documents_audit_delete AFTER DELETE ON cases.case_documents
    REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit.record();

ALTER TABLE cases.case_documents ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY case_documents_tenant ON cases.case_documents TO quarry_app, quarry_readonly
    USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid))
    WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));

CREATE POLICY case_documents_owner ON cases.case_documents TO quarry_owner USING (true) WITH CHECK (true);

GRANT SELECT, INSERT, UPDATE, DELETE ON cases.case_documents TO quarry_app;

CREATE TABLE cases.case_products (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL DEFAULT uuidv7(),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    project_id uuid NOT NULL,
    case_id text NOT NULL,
    product text NOT NULL,
    status text NOT NULL DEFAULT 'requested',
    props jsonb NOT NULL DEFAULT '{}',
    CONSTRAINT case_products_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT case_products_case_fkey FOREIGN KEY (tenant_id, project_id, case_id)
        REFERENCES cases.cases (tenant_id, project_id, case_id) ON DELETE CASCADE,
    CONSTRAINT case_products_product_key UNIQUE (tenant_id, project_id, case_id, product),
    CONSTRAINT case_products_product_length CHECK (char_length(product) BETWEEN 1 AND 200),
    CONSTRAINT case_products_status_length CHECK (char_length(status) BETWEEN 1 AND 50),
    CONSTRAINT case_products_props_object CHECK (jsonb_typeof(props) = 'object')
);

COMMENT ON TABLE cases.case_products IS 'The products of a case.';

COMMENT ON COLUMN cases.case_products.tenant_id IS 'The tenant that the row belongs to.';

COMMENT ON COLUMN cases.case_products.id IS 'Made by the database; ordered by time.';

COMMENT ON COLUMN cases.case_products.created_at IS 'When the row was made; never changes.';

COMMENT ON COLUMN cases.case_products.updated_at IS 'When the row last changed; kept by a trigger.';

COMMENT ON COLUMN cases.case_products.project_id IS 'The project.';

COMMENT ON COLUMN cases.case_products.case_id IS 'The case, by the id that its document gives it.';

COMMENT ON COLUMN cases.case_products.product IS 'The product.';

COMMENT ON COLUMN cases.case_products.status IS 'requested or configured.';

COMMENT ON COLUMN cases.case_products.props IS 'What was said beyond the columns.';

CREATE TRIGGER case_products_touch BEFORE UPDATE ON cases.case_products
    FOR EACH ROW EXECUTE FUNCTION core.touch();

CREATE TRIGGER case_products_audit_insert AFTER INSERT ON cases.case_products
    REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit.record();

CREATE TRIGGER case_products_audit_update AFTER UPDATE ON cases.case_products
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit.record();

CREATE TRIGGER case_products_audit_delete AFTER DELETE ON cases.case_products
    REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit.record();

ALTER TABLE cases.case_products ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY case_products_tenant ON cases.case_products TO quarry_app, quarry_readonly
    USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid))
    WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));

CREATE POLICY case_products_owner ON cases.case_products TO quarry_owner USING (true) WITH CHECK (true);

GRANT SELECT, INSERT, UPDATE, DELETE ON cases.case_products TO quarry_app;

CREATE TABLE cases.case_events (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL DEFAULT uuidv7(),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    project_id uuid NOT NULL,
    case_id text,
    operation_id uuid NOT NULL,
    version integer,
    form integer NOT NULL,
    verb text NOT NULL,
    effect text NOT NULL,
    stage integer,
    arguments jsonb NOT NULL,
    effects jsonb NOT NULL DEFAULT '[]',
    CONSTRAINT case_events_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT case_events_project_fkey FOREIGN KEY (tenant_id, project_id)
        REFERENCES workspace.projects (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT case_events_case_fkey FOREIGN KEY (tenant_id, project_id, case_id)
        REFERENCES cases.cases (tenant_id, project_id, case_id) ON DELETE CASCADE,
    CONSTRAINT case_events_form_range CHECK (form >= 0)
);

CREATE INDEX case_events_case_idx ON cases.case_events (tenant_id, project_id, case_id, id);

CREATE INDEX case_events_operation_idx ON cases.case_events (tenant_id, operation_id, form);

CREATE INDEX case_events_stage_idx ON cases.case_events (tenant_id, project_id, case_id, stage) WHERE stage IS NOT NULL;

COMMENT ON TABLE cases.case_events IS 'Every form that was executed, with its effect. Append-only.';

COMMENT ON COLUMN cases.case_events.tenant_id IS 'The tenant that the row belongs to.';

COMMENT ON COLUMN cases.case_events.id IS 'Made by the database; ordered by time.';

COMMENT ON COLUMN cases.case_events.created_at IS 'When the row was made; never changes.';

COMMENT ON COLUMN cases.case_events.project_id IS 'The project.';

COMMENT ON COLUMN cases.case_events.case_id IS 'The case whose document said it; NULL when it belongs to none.';

COMMENT ON COLUMN cases.case_events.operation_id IS 'The operation that executed it.';

COMMENT ON COLUMN cases.case_events.version IS 'The case''s version that holds the form.';

COMMENT ON COLUMN cases.case_events.form IS 'Number of the form in its document, from 0.';

COMMENT ON COLUMN cases.case_events.verb IS 'The verb.';

COMMENT ON COLUMN cases.case_events.effect IS 'What the verb does.';

COMMENT ON COLUMN cases.case_events.stage IS 'Place in the order of onboarding.';

COMMENT ON COLUMN cases.case_events.arguments IS 'What the form said.';

COMMENT ON COLUMN cases.case_events.effects IS 'table, inserted, updated, deleted.';

ALTER TABLE cases.case_events ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY case_events_tenant ON cases.case_events TO quarry_app, quarry_readonly
    USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid))
    WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));

CREATE POLICY case_events_owner ON cases.case_events TO quarry_owner USING (true) WITH CHECK (true);

GRANT SELECT, INSERT ON cases.case_events TO quarry_app;

CREATE TABLE cases.attribute_values (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL DEFAULT uuidv7(),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    project_id uuid NOT NULL,
    version bigint NOT NULL DEFAULT 1,
    attribute_id uuid NOT NULL,
    subject_kind text NOT NULL,
    subject_id text NOT NULL,
    case_id text,
    value jsonb,
    state text NOT NULL DEFAULT 'resolved',
    source text,
    observed_at timestamptz,
    CONSTRAINT attribute_values_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT attribute_values_project_fkey FOREIGN KEY (tenant_id, project_id)
        REFERENCES workspace.projects (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT attribute_values_attribute_fkey FOREIGN KEY (tenant_id, attribute_id) REFERENCES cases.dictionary (tenant_id, id),
    CONSTRAINT attribute_values_subject_key UNIQUE (tenant_id, project_id, subject_kind, subject_id, attribute_id),
    CONSTRAINT attribute_values_subject_kind_known CHECK (subject_kind IN ('case', 'entity', 'document')),
    CONSTRAINT attribute_values_subject_id_shape CHECK (char_length(subject_id) BETWEEN 1 AND 200 AND subject_id !~ '[[:cntrl:]]'),
    CONSTRAINT attribute_values_state_known CHECK (state IN ('pending', 'resolved', 'invalid')),
    CONSTRAINT attribute_values_resolved_has_value CHECK (state <> 'resolved' OR value IS NOT NULL),
    CONSTRAINT attribute_values_source_length CHECK (char_length(source) <= 1000)
);

CREATE INDEX attribute_values_attribute_idx ON cases.attribute_values (tenant_id, attribute_id);

CREATE INDEX attribute_values_origin_idx ON cases.attribute_values (tenant_id, project_id, case_id);

COMMENT ON TABLE cases.attribute_values IS 'Values of attributes: of a case, an entity, a document.';

COMMENT ON COLUMN cases.attribute_values.tenant_id IS 'The tenant that the row belongs to.';

COMMENT ON COLUMN cases.attribute_values.id IS 'Made by the database; ordered by time.';

COMMENT ON COLUMN cases.attribute_values.created_at IS 'When the row was made; never changes.';

COMMENT ON COLUMN cases.attribute_values.updated_at IS 'When the row last changed; kept by a trigger.';

COMMENT ON COLUMN cases.attribute_values.project_id IS 'The project.';

COMMENT ON COLUMN cases.attribute_values.version IS 'Counts changes of the row: its ETag.';

COMMENT ON COLUMN cases.attribute_values.attribute_id IS 'The attribute.';

COMMENT ON COLUMN cases.attribute_values.subject_kind IS 'case, entity or document.';

COMMENT ON COLUMN cases.attribute_values.subject_id IS 'Id of the subject.';

COMMENT ON COLUMN cases.attribute_values.case_id IS 'The case whose document said it; NULL when it belongs to none.';

COMMENT ON COLUMN cases.attribute_values.value IS 'The value; NULL while it is pending.';

COMMENT ON COLUMN cases.attribute_values.state IS 'pending, resolved or invalid.';

COMMENT ON COLUMN cases.attribute_values.source IS 'Where it comes from.';

COMMENT ON COLUMN cases.attribute_values.observed_at IS 'When it was true.';

CREATE TRIGGER attribute_values_touch BEFORE UPDATE ON cases.attribute_values
    FOR EACH ROW EXECUTE FUNCTION core.touch_version();

CREATE TRIGGER attribute_values_audit_insert AFTER INSERT ON cases.attribute_values
    REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit.record();

CREATE TRIGGER attribute_values_audit_update AFTER UPDATE ON cases.attribute_values
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit.record();

CREATE TRIGGER attribute_values_audit_delete AFTER DELETE ON cases.attribute_values
    REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit.record();

ALTER TABLE cases.attribute_values ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY attribute_values_tenant ON cases.attribute_values TO quarry_app, quarry_readonly
    USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid))
    WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));

CREATE POLICY attribute_values_owner ON cases.attribute_values TO quarry_owner USING (true) WITH CHECK (true);

GRANT SELECT, INSERT, UPDATE, DELETE ON cases.attribute_values TO quarry_app;

CREATE FUNCTION cases.check_value() RETURNS trigger
    LANGUAGE plpgsql
AS $$
DECLARE
    wrong text;
BEGIN
    SELECT cases.misfit(d.mask, d.rules, NEW.value)
      INTO wrong
      FROM cases.dictionary AS d
     WHERE d.tenant_id = NEW.tenant_id AND d.id = NEW.attribute_id;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'the value %', wrong
            USING ERRCODE = 'check_violation', TABLE = 'attribute_values', CONSTRAINT = 'attribute_values_value_fits';
    END IF;
    RETURN NEW;
END
$$;

COMMENT ON FUNCTION cases.check_value() IS 'Refuses a resolved value that does not fit its attribute: attribute_values_value_fits.';

CREATE TRIGGER attribute_values_check BEFORE INSERT OR UPDATE ON cases.attribute_values
    FOR EACH ROW WHEN (NEW.state = 'resolved')
    EXECUTE FUNCTION cases.check_value();

CREATE TABLE cases.dsl_operations (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL DEFAULT uuidv7(),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    project_id uuid NOT NULL,
    kind text NOT NULL,
    case_id text,
    outcome text NOT NULL,
    dsl_sha256 bytea NOT NULL,
    dsl text,
    forms integer NOT NULL,
    errors jsonb NOT NULL DEFAULT '[]',
    stages jsonb NOT NULL DEFAULT '{}',
    rows jsonb NOT NULL DEFAULT '{}',
    cases jsonb NOT NULL DEFAULT '[]',
    author text NOT NULL DEFAULT coalesce(nullif(current_setting('app.actor', true), ''), session_user),
    request_id text DEFAULT nullif(current_setting('app.request_id', true), ''),
    CONSTRAINT dsl_operations_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT dsl_operations_project_fkey FOREIGN KEY (tenant_id, project_id)
        REFERENCES workspace.projects (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT dsl_operations_kind_known CHECK (kind IN ('execute', 'append', 'rollback', 'generate', 'replay')),
    CONSTRAINT dsl_operations_outcome_known CHECK (outcome IN ('committed', 'dry_run', 'refused', 'conflict', 'failed'))
);

CREATE INDEX dsl_operations_order_idx ON cases.dsl_operations (tenant_id, project_id, id DESC);

COMMENT ON TABLE cases.dsl_operations IS 'Every document that came through the gateway, refused ones too. Append-only.';

COMMENT ON COLUMN cases.dsl_operations.tenant_id IS 'The tenant that the row belongs to.';

COMMENT ON COLUMN cases.dsl_operations.id IS 'Made by the database; ordered by time.';

COMMENT ON COLUMN cases.dsl_operations.created_at IS 'When the row was made; never changes.';

COMMENT ON COLUMN cases.dsl_operations.project_id IS 'The project.';

COMMENT ON COLUMN cases.dsl_operations.kind IS 'execute, append, rollback, generate or replay.';

COMMENT ON COLUMN cases.dsl_operations.case_id IS 'The case that it was sent to; NULL: none. It need not be there.';

COMMENT ON COLUMN cases.dsl_operations.outcome IS 'committed, dry_run, refused, conflict or failed.';

COMMENT ON COLUMN cases.dsl_operations.dsl_sha256 IS 'Of the text in UTF-8.';

COMMENT ON COLUMN cases.dsl_operations.dsl IS 'The text, where no version holds it: of a committed document about several cases, or about none.';

COMMENT ON COLUMN cases.dsl_operations.forms IS 'How many forms it has.';

COMMENT ON COLUMN cases.dsl_operations.errors IS 'Findings that it was refused for.';

COMMENT ON COLUMN cases.dsl_operations.stages IS 'Milliseconds per stage.';

COMMENT ON COLUMN cases.dsl_operations.rows IS 'Table: rows inserted, updated, deleted.';

COMMENT ON COLUMN cases.dsl_operations.cases IS 'case_id and version.';

COMMENT ON COLUMN cases.dsl_operations.author IS 'Who.';

COMMENT ON COLUMN cases.dsl_operations.request_id IS 'X-Request-ID.';

ALTER TABLE cases.dsl_operations ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY dsl_operations_tenant ON cases.dsl_operations TO quarry_app, quarry_readonly
    USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid))
    WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));

CREATE POLICY dsl_operations_owner ON cases.dsl_operations TO quarry_owner USING (true) WITH CHECK (true);

GRANT SELECT, INSERT ON cases.dsl_operations TO quarry_app;

CREATE TABLE cases.dsl_proposals (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL DEFAULT uuidv7(),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    project_id uuid NOT NULL,
    version bigint NOT NULL DEFAULT 1,
    instruction text NOT NULL,
    generator text NOT NULL,
    model text,
    dsl text,
    confidence numeric NOT NULL,
    status text NOT NULL,
    reason text,
    findings jsonb NOT NULL DEFAULT '[]',
    decided_by text,
    operation_id uuid,
    CONSTRAINT dsl_proposals_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT dsl_proposals_project_fkey FOREIGN KEY (tenant_id, project_id)
        REFERENCES workspace.projects (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT dsl_proposals_instruction_length CHECK (char_length(instruction) BETWEEN 1 AND 20000),
    CONSTRAINT dsl_proposals_generator_known CHECK (generator IN ('rules', 'llm')),
    CONSTRAINT dsl_proposals_confidence_range CHECK (confidence BETWEEN 0 AND 1),
    CONSTRAINT dsl_proposals_status_known CHECK (status IN ('proposed', 'approved', 'rejected', 'executed')),
    CONSTRAINT dsl_proposals_approved_has_dsl CHECK (status IN ('proposed', 'rejected') OR dsl IS NOT NULL)
);

CREATE INDEX dsl_proposals_order_idx ON cases.dsl_proposals (tenant_id, project_id, id DESC);

COMMENT ON TABLE cases.dsl_proposals IS 'Documents that a generator made of an instruction, and what became of them.';

COMMENT ON COLUMN cases.dsl_proposals.tenant_id IS 'The tenant that the row belongs to.';

COMMENT ON COLUMN cases.dsl_proposals.id IS 'Made by the database; ordered by time.';

COMMENT ON COLUMN cases.dsl_proposals.created_at IS 'When the row was made; never changes.';

COMMENT ON COLUMN cases.dsl_proposals.updated_at IS 'When the row last changed; kept by a trigger.';

COMMENT ON COLUMN cases.dsl_proposals.project_id IS 'The project.';

COMMENT ON COLUMN cases.dsl_proposals.version IS 'Counts changes of the row: its ETag.';

COMMENT ON COLUMN cases.dsl_proposals.instruction IS 'What was asked.';

COMMENT ON COLUMN cases.dsl_proposals.generator IS 'rules or llm.';

COMMENT ON COLUMN cases.dsl_proposals.model IS 'Name of the model.';

COMMENT ON COLUMN cases.dsl_proposals.dsl IS 'The document; NULL when the generator could not.';

COMMENT ON COLUMN cases.dsl_proposals.confidence IS '0 to 1.';

COMMENT ON COLUMN cases.dsl_proposals.status IS 'proposed, approved, rejected or executed.';

COMMENT ON COLUMN cases.dsl_proposals.reason IS 'Why it was rejected, or could not be made.';

COMMENT ON COLUMN cases.dsl_proposals.findings IS 'What validation found.';

COMMENT ON COLUMN cases.dsl_proposals.decided_by IS 'Who approved or rejected.';

COMMENT ON COLUMN cases.dsl_proposals.operation_id IS 'The operation that executed it.';

CREATE TRIGGER dsl_proposals_touch BEFORE UPDATE ON cases.dsl_proposals
    FOR EACH ROW EXECUTE FUNCTION core.touch_version();

CREATE TRIGGER dsl_proposals_audit_insert AFTER INSERT ON cases.dsl_proposals
    REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit.record();

CREATE TRIGGER dsl_proposals_audit_update AFTER UPDATE ON cases.dsl_proposals
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit.record();

CREATE TRIGGER dsl_proposals_audit_delete AFTER DELETE ON cases.dsl_proposals
    REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit.record();

ALTER TABLE cases.dsl_proposals ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY dsl_proposals_tenant ON cases.dsl_proposals TO quarry_app, quarry_readonly
    USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid))
    WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));

CREATE POLICY dsl_proposals_owner ON cases.dsl_proposals TO quarry_owner USING (true) WITH CHECK (true);

GRANT SELECT, INSERT, UPDATE ON cases.dsl_proposals TO quarry_app;

-- For a case that is taken back to what an older version said: its rows go, its history stays. An
-- entity that other cases speak of stays too.
CREATE FUNCTION cases.reset_case(project uuid, reset_id text)
    RETURNS TABLE (of_table text, updated integer, deleted integer)
    LANGUAGE plpgsql
AS $$
#variable_conflict use_column
DECLARE
    tenant uuid := core.current_tenant();
BEGIN
    updated := 0;
    of_table := 'case_roles';
    DELETE FROM cases.case_roles AS r WHERE r.tenant_id = tenant AND r.project_id = project AND r.case_id = reset_id;
    GET DIAGNOSTICS deleted = ROW_COUNT;
    RETURN NEXT;
    of_table := 'case_documents';
    DELETE FROM cases.case_documents AS d WHERE d.tenant_id = tenant AND d.project_id = project AND d.case_id = reset_id;
    GET DIAGNOSTICS deleted = ROW_COUNT;
    RETURN NEXT;
    of_table := 'case_products';
    DELETE FROM cases.case_products AS o WHERE o.tenant_id = tenant AND o.project_id = project AND o.case_id = reset_id;
    GET DIAGNOSTICS deleted = ROW_COUNT;
    RETURN NEXT;
    of_table := 'attribute_values';
    DELETE FROM cases.attribute_values AS v WHERE v.tenant_id = tenant AND v.project_id = project AND v.case_id = reset_id;
    GET DIAGNOSTICS deleted = ROW_COUNT;
    RETURN NEXT;
    of_table := 'entity_links';
    DELETE FROM cases.entity_links AS l WHERE l.tenant_id = tenant AND l.project_id = project AND l.case_id = reset_id;
    GET DIAGNOSTICS deleted = ROW_COUNT;
    RETURN NEXT;
    of_table := 'entities';
    DELETE FROM cases.entities AS e
     WHERE e.tenant_id = tenant AND e.project_id = project AND e.case_id = reset_id
       AND NOT EXISTS (SELECT FROM cases.entity_links AS l
                        WHERE l.tenant_id = tenant AND l.project_id = project AND l.from_entity = e.entity_id)
       AND NOT EXISTS (SELECT FROM cases.entity_links AS l
                        WHERE l.tenant_id = tenant AND l.project_id = project AND l.to_entity = e.entity_id)
       AND NOT EXISTS (SELECT FROM cases.case_roles AS r
                        WHERE r.tenant_id = tenant AND r.project_id = project AND r.entity_id = e.entity_id)
       AND NOT EXISTS (SELECT FROM cases.case_documents AS d
                        WHERE d.tenant_id = tenant AND d.project_id = project AND d.entity_id = e.entity_id);
    GET DIAGNOSTICS deleted = ROW_COUNT;
    RETURN NEXT;
    PERFORM set_config('app.case_reset', 'on', true);
    of_table := 'cases';
    UPDATE cases.cases AS c
       SET case_type = DEFAULT, title = NULL, priority = DEFAULT, jurisdiction = NULL, customer_name = NULL,
           assigned_to = NULL, state = DEFAULT, attributes = DEFAULT
     WHERE c.tenant_id = tenant AND c.project_id = project AND c.case_id = reset_id;
    GET DIAGNOSTICS updated = ROW_COUNT;
    deleted := 0;
    RETURN NEXT;
    PERFORM set_config('app.case_reset', '', true);
END
$$;

COMMENT ON FUNCTION cases.reset_case(uuid, text) IS 'Takes away what a case''s documents made, so that they, or fewer of them, can be executed again; answers the rows per table. Versions and events stay.';

GRANT EXECUTE ON FUNCTION cases.reset_case(uuid, text) TO quarry_app;

-- Documents that speak of the same case, entity or document go one after the other. So what one finds is
-- what it changes, two of them cannot wait for each other in a circle, and the order of their operations
-- is one in which they can be executed again. 256 locks at most, however many names a document has.
CREATE FUNCTION cases.take_turn(project uuid, names text[]) RETURNS void
    LANGUAGE plpgsql
AS $$
DECLARE
    place integer;
BEGIN
    FOR place IN SELECT DISTINCT hashtext(n.name) & 255 FROM unnest(names) AS n (name) ORDER BY 1
    LOOP
        PERFORM pg_advisory_xact_lock(hashtextextended(project::text, place));
    END LOOP;
END
$$;

COMMENT ON FUNCTION cases.take_turn(uuid, text[]) IS 'Waits until no other transaction works on these names of a project.';

GRANT EXECUTE ON FUNCTION cases.take_turn(uuid, text[]) TO quarry_app;
