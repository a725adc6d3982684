-- depends: 0029-flows-and-imports
-- Discovery: raw records in partitions by tenant, assets, their dependencies and conflicts.

SET LOCAL lock_timeout = '3s';

SET LOCAL statement_timeout = '60s';

SET LOCAL ROLE quarry_owner;

-- ---------------------------------------------------------------------------------------------
-- Raw records

-- Loaded by COPY, which PostgreSQL refuses on a table with row-level security. So COPY goes straight
-- into the partition, and the walls there are privileges: the service may only insert, may not name
-- the tenant (it is the one of the transaction), and may neither read nor change anything there.
-- The unique key proves (import, row number), serves the foreign key, and is the order of the list.
CREATE TABLE discovery.raw_records (
    tenant_id uuid NOT NULL DEFAULT nullif(current_setting('app.tenant_id', true), '')::uuid,
    id uuid NOT NULL DEFAULT uuidv7(),
    project_id uuid NOT NULL,
    data_import_id uuid NOT NULL,
    master_flow_id uuid NOT NULL,
    row_number bigint NOT NULL,
    raw jsonb NOT NULL,
    cleansed jsonb,
    findings jsonb NOT NULL DEFAULT '[]',
    outcome text NOT NULL DEFAULT 'pending',
    asset_id uuid,
    CONSTRAINT raw_records_pkey PRIMARY KEY (tenant_id, id, project_id),
    CONSTRAINT raw_records_row_number_key UNIQUE (tenant_id, data_import_id, project_id, master_flow_id, row_number),
    CONSTRAINT raw_records_data_import_fkey FOREIGN KEY (tenant_id, project_id, data_import_id, master_flow_id)
        REFERENCES discovery.data_imports (tenant_id, project_id, id, master_flow_id) ON DELETE CASCADE,
    CONSTRAINT raw_records_row_number_positive CHECK (row_number >= 1),
    CONSTRAINT raw_records_raw_object CHECK (jsonb_typeof(raw) = 'object'),
    CONSTRAINT raw_records_cleansed_object CHECK (jsonb_typeof(cleansed) = 'object'),
    CONSTRAINT raw_records_findings_array CHECK (jsonb_typeof(findings) = 'array'),
    CONSTRAINT raw_records_outcome_known CHECK (
        outcome IN ('pending', 'asset', 'merged', 'conflict', 'rejected', 'skipped'))
) PARTITION BY HASH (tenant_id);

CREATE TABLE discovery.raw_records_p0 PARTITION OF discovery.raw_records FOR VALUES WITH (MODULUS 8, REMAINDER 0);

CREATE TABLE discovery.raw_records_p1 PARTITION OF discovery.raw_records FOR VALUES WITH (MODULUS 8, REMAINDER 1);

CREATE TABLE discovery.raw_records_p2 PARTITION OF discovery.raw_records FOR VALUES WITH (MODULUS 8, REMAINDER 2);

CREATE TABLE discovery.raw_records_p3 PARTITION OF discovery.raw_records FOR VALUES WITH (MODULUS 8, REMAINDER 3);

CREATE TABLE discovery.raw_records_p4 PARTITION OF discovery.raw_records FOR VALUES WITH (MODULUS 8, REMAINDER 4);

CREATE TABLE discovery.raw_records_p5 PARTITION OF discovery.raw_records FOR VALUES WITH (MODULUS 8, REMAINDER 5);

CREATE TABLE discovery.raw_records_p6 PARTITION OF discovery.raw_records FOR VALUES WITH (MODULUS 8, REMAINDER 6);

CREATE TABLE discovery.raw_records_p7 PARTITION OF discovery.raw_records FOR VALUES WITH (MODULUS 8, REMAINDER 7);

-- By outcome, in the order of the file. Rows are counted in it without being read.
CREATE INDEX raw_records_outcome_idx
    ON discovery.raw_records (tenant_id, data_import_id, project_id, outcome, row_number);

COMMENT ON TABLE discovery.raw_records IS 'The rows of imports, as they came and what became of them.';

COMMENT ON COLUMN discovery.raw_records.tenant_id IS 'The tenant that the row belongs to; the one of the transaction.';

COMMENT ON COLUMN discovery.raw_records.id IS 'Made by the database; ordered by time.';

COMMENT ON COLUMN discovery.raw_records.project_id IS 'The project.';

COMMENT ON COLUMN discovery.raw_records.data_import_id IS 'The import.';

COMMENT ON COLUMN discovery.raw_records.master_flow_id IS 'The flow, of the same import.';

COMMENT ON COLUMN discovery.raw_records.row_number IS 'Number of the row in the file, from 1, without the header.';

COMMENT ON COLUMN discovery.raw_records.raw IS 'The row as it came: an object of text by column; cells beyond the header are an array under "". Never changes.';

COMMENT ON COLUMN discovery.raw_records.cleansed IS 'The row after cleansing, by field; NULL: not yet.';

COMMENT ON COLUMN discovery.raw_records.findings IS 'What is odd about it and what was changed: an array of objects with code, field and detail.';

COMMENT ON COLUMN discovery.raw_records.outcome IS 'pending, asset, merged, conflict, rejected, skipped.';

COMMENT ON COLUMN discovery.raw_records.asset_id IS 'The asset that it became or was merged into; NULL: none.';

CREATE FUNCTION discovery.keep_raw() RETURNS trigger
    LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM core.refuse_change('raw_records', changed.column_name)
       FROM (SELECT CASE
            WHEN NEW.tenant_id <> OLD.tenant_id THEN 'tenant_id'
            WHEN NEW.id <> OLD.id THEN 'id'
            WHEN NEW.project_id <> OLD.project_id THEN 'project_id'
            WHEN NEW.data_import_id <> OLD.data_import_id THEN 'data_import_id'
            WHEN NEW.master_flow_id <> OLD.master_flow_id THEN 'master_flow_id'
            WHEN NEW.row_number <> OLD.row_number THEN 'row_number'
            WHEN NEW.raw <> OLD.raw THEN 'raw'
            END AS column_name) AS changed
      WHERE changed.column_name IS NOT NULL;
    RETURN NEW;
END
$$;

COMMENT ON FUNCTION discovery.keep_raw() IS 'Refuses to change evidence: raw_records_<column>_immutable.';

-- By column list: what the phases write (cleansed, findings, outcome, asset) calls no trigger.
CREATE TRIGGER raw_records_keep
    BEFORE UPDATE OF tenant_id, id, project_id, data_import_id, master_flow_id, row_number, raw
    ON discovery.raw_records
    FOR EACH ROW EXECUTE FUNCTION discovery.keep_raw();

ALTER TABLE discovery.raw_records ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY raw_records_tenant ON discovery.raw_records TO quarry_app, quarry_readonly
    USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid))
    WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));

CREATE POLICY raw_records_owner ON discovery.raw_records TO quarry_owner USING (true) WITH CHECK (true);

GRANT SELECT ON discovery.raw_records TO quarry_app;

GRANT UPDATE (cleansed, findings, outcome, asset_id) ON discovery.raw_records TO quarry_app;

DO $$
DECLARE
    leaf text;
    described record;
BEGIN
    FOR remainder IN 0 .. 7 LOOP
        leaf := 'raw_records_p' || remainder;
        EXECUTE format('REVOKE ALL ON discovery.%I FROM quarry_app, quarry_readonly', leaf);
        EXECUTE format('GRANT INSERT (id, project_id, data_import_id, master_flow_id, row_number, raw, findings) '
                       'ON discovery.%I TO quarry_app', leaf);
        EXECUTE format('COMMENT ON TABLE discovery.%I IS %L', leaf,
                       'Raw records of the tenants with this remainder. The service may add rows of its tenant and read none.');
        FOR described IN
            SELECT a.attname, col_description(a.attrelid, a.attnum) AS words
              FROM pg_catalog.pg_attribute AS a
             WHERE a.attrelid = 'discovery.raw_records'::regclass AND a.attnum > 0
        LOOP
            EXECUTE format('COMMENT ON COLUMN discovery.%I.%I IS %L', leaf, described.attname, described.words);
        END LOOP;
    END LOOP;
END
$$;

-- ---------------------------------------------------------------------------------------------
-- Assets

CREATE TABLE discovery.assets (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL DEFAULT uuidv7(),
    project_id uuid NOT NULL,
    master_flow_id uuid NOT NULL,
    discovery_flow_id uuid,
    raw_record_id uuid,
    name text NOT NULL,
    asset_type text NOT NULL,
    hostname text,
    fqdn text,
    ip inet,
    os text,
    os_version text,
    environment text,
    location text,
    business_owner text,
    technical_owner text,
    department text,
    application text,
    technology_stack text,
    criticality text,
    cpu numeric(10, 2),
    memory_gb numeric(14, 3),
    storage_gb numeric(14, 3),
    cost numeric(16, 2),
    dependencies text[],
    custom jsonb NOT NULL DEFAULT '{}',
    six_r_strategy text,
    end_of_life date,
    debt_score integer,
    debt_findings jsonb NOT NULL DEFAULT '[]',
    status text NOT NULL DEFAULT 'discovered',
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz,
    CONSTRAINT assets_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT assets_project_id_key UNIQUE (tenant_id, id, project_id),
    CONSTRAINT assets_master_flow_fkey FOREIGN KEY (tenant_id, project_id, master_flow_id)
        REFERENCES discovery.master_flows (tenant_id, project_id, id) ON DELETE CASCADE,
    CONSTRAINT assets_discovery_flow_fkey FOREIGN KEY (tenant_id, project_id, discovery_flow_id, master_flow_id)
        REFERENCES discovery.discovery_flows (tenant_id, project_id, id, master_flow_id)
        ON DELETE SET NULL (discovery_flow_id),
    CONSTRAINT assets_raw_record_fkey FOREIGN KEY (tenant_id, project_id, raw_record_id)
        REFERENCES discovery.raw_records (tenant_id, project_id, id) ON DELETE SET NULL (raw_record_id),
    CONSTRAINT assets_name_length CHECK (char_length(name) BETWEEN 1 AND 255),
    CONSTRAINT assets_asset_type_known CHECK (
        asset_type IN ('application', 'server', 'database', 'network', 'storage', 'container', 'middleware', 'service',
                       'device', 'security', 'domain', 'website', 'other')),
    CONSTRAINT assets_hostname_shape CHECK (char_length(hostname) BETWEEN 1 AND 255 AND hostname = lower(hostname)),
    CONSTRAINT assets_fqdn_shape CHECK (char_length(fqdn) BETWEEN 1 AND 255 AND fqdn = lower(fqdn)),
    CONSTRAINT assets_os_length CHECK (char_length(os) BETWEEN 1 AND 255),
    CONSTRAINT assets_os_version_length CHECK (char_length(os_version) BETWEEN 1 AND 255),
    CONSTRAINT assets_environment_known CHECK (
        environment IN ('production', 'staging', 'test', 'development', 'disaster_recovery', 'other')),
    CONSTRAINT assets_location_length CHECK (char_length(location) BETWEEN 1 AND 1000),
    CONSTRAINT assets_business_owner_length CHECK (char_length(business_owner) BETWEEN 1 AND 255),
    CONSTRAINT assets_technical_owner_length CHECK (char_length(technical_owner) BETWEEN 1 AND 255),
    CONSTRAINT assets_department_length CHECK (char_length(department) BETWEEN 1 AND 255),
    CONSTRAINT assets_application_length CHECK (char_length(application) BETWEEN 1 AND 255),
    CONSTRAINT assets_technology_stack_length CHECK (char_length(technology_stack) BETWEEN 1 AND 1000),
    CONSTRAINT assets_criticality_known CHECK (criticality IN ('critical', 'high', 'medium', 'low')),
    CONSTRAINT assets_cpu_positive CHECK (cpu >= 0),
    CONSTRAINT assets_memory_gb_positive CHECK (memory_gb >= 0),
    CONSTRAINT assets_storage_gb_positive CHECK (storage_gb >= 0),
    CONSTRAINT assets_cost_positive CHECK (cost >= 0),
    CONSTRAINT assets_custom_object CHECK (jsonb_typeof(custom) = 'object'),
    CONSTRAINT assets_six_r_strategy_known CHECK (
        six_r_strategy IN ('rehost', 'replatform', 'refactor', 'repurchase', 'retire', 'retain')),
    CONSTRAINT assets_debt_score_range CHECK (debt_score BETWEEN 0 AND 100),
    CONSTRAINT assets_debt_findings_array CHECK (jsonb_typeof(debt_findings) = 'array'),
    CONSTRAINT assets_status_known CHECK (
        status IN ('discovered', 'confirmed', 'in_migration', 'migrated', 'decommissioned'))
) WITH (fillfactor = 85);

-- Among live assets of one type only: a host is a server and carries an application of its name.
CREATE UNIQUE INDEX assets_hostname_key ON discovery.assets (tenant_id, project_id, asset_type, hostname)
    WHERE deleted_at IS NULL AND hostname IS NOT NULL;

CREATE UNIQUE INDEX assets_ip_key ON discovery.assets (tenant_id, project_id, asset_type, ip)
    WHERE deleted_at IS NULL AND ip IS NOT NULL;

-- What deduplication looks up besides.
CREATE INDEX assets_fqdn_idx ON discovery.assets (tenant_id, project_id, asset_type, fqdn)
    WHERE deleted_at IS NULL AND fqdn IS NOT NULL;

-- Of deleted assets as well: what a partial index holds the planner estimates without the statistics below, and so
-- it would take one of these whatever it looks for in a project.
CREATE INDEX assets_name_idx ON discovery.assets (tenant_id, name, project_id, asset_type);

CREATE INDEX assets_newest_idx ON discovery.assets (tenant_id, project_id, created_at DESC, id DESC);

CREATE INDEX assets_master_flow_idx ON discovery.assets (tenant_id, master_flow_id, project_id, created_at DESC, id DESC);

CREATE INDEX assets_discovery_flow_idx
    ON discovery.assets (tenant_id, discovery_flow_id, project_id, master_flow_id) WHERE discovery_flow_id IS NOT NULL;

CREATE INDEX assets_raw_record_idx
    ON discovery.assets (tenant_id, raw_record_id, project_id) WHERE raw_record_id IS NOT NULL;

-- As of master flows.
CREATE STATISTICS discovery.assets_of_project (dependencies, ndistinct)
    ON tenant_id, project_id FROM discovery.assets;

COMMENT ON STATISTICS discovery.assets_of_project IS 'That a project is of one tenant: makes the estimates of rows right.';

COMMENT ON TABLE discovery.assets IS 'What the imports are inventories of. A deleted asset keeps its row.';

COMMENT ON COLUMN discovery.assets.tenant_id IS 'The tenant that the row belongs to.';

COMMENT ON COLUMN discovery.assets.id IS 'Made by the database; ordered by time.';

COMMENT ON COLUMN discovery.assets.project_id IS 'The project.';

COMMENT ON COLUMN discovery.assets.master_flow_id IS 'The flow that it came from.';

COMMENT ON COLUMN discovery.assets.discovery_flow_id IS 'The discovery of that flow; NULL: that is gone.';

COMMENT ON COLUMN discovery.assets.raw_record_id IS 'The row that it came from; NULL: that is gone.';

COMMENT ON COLUMN discovery.assets.name IS '1 to 255 characters.';

COMMENT ON COLUMN discovery.assets.asset_type IS 'application, server, database, network, storage, container, middleware, service, device, security, domain, website, other.';

COMMENT ON COLUMN discovery.assets.hostname IS 'In lower case; unique per project and type among live assets. NULL: unknown.';

COMMENT ON COLUMN discovery.assets.fqdn IS 'In lower case; NULL: unknown.';

COMMENT ON COLUMN discovery.assets.ip IS 'Unique per project and type among live assets; NULL: unknown.';

COMMENT ON COLUMN discovery.assets.os IS 'Operating system; NULL: unknown.';

COMMENT ON COLUMN discovery.assets.os_version IS 'Of the operating system; NULL: unknown.';

COMMENT ON COLUMN discovery.assets.environment IS 'production, staging, test, development, disaster_recovery, other; NULL: unknown.';

COMMENT ON COLUMN discovery.assets.location IS 'NULL: unknown.';

COMMENT ON COLUMN discovery.assets.business_owner IS 'NULL: unknown.';

COMMENT ON COLUMN discovery.assets.technical_owner IS 'NULL: unknown.';

COMMENT ON COLUMN discovery.assets.department IS 'NULL: unknown.';

COMMENT ON COLUMN discovery.assets.application IS 'What runs on it; NULL: unknown.';

COMMENT ON COLUMN discovery.assets.technology_stack IS 'NULL: unknown.';

COMMENT ON COLUMN discovery.assets.criticality IS 'critical, high, medium, low; NULL: unknown.';

COMMENT ON COLUMN discovery.assets.cpu IS 'Cores; NULL: unknown.';

COMMENT ON COLUMN discovery.assets.memory_gb IS 'Gigabytes; NULL: unknown.';

COMMENT ON COLUMN discovery.assets.storage_gb IS 'Gigabytes; NULL: unknown.';

COMMENT ON COLUMN discovery.assets.cost IS 'As in the file, without a currency; NULL: unknown.';

COMMENT ON COLUMN discovery.assets.dependencies IS 'Names that the file gave, as a list; NULL: none given.';

COMMENT ON COLUMN discovery.assets.custom IS 'Columns that map to no field: a JSON object.';

COMMENT ON COLUMN discovery.assets.six_r_strategy IS 'rehost, replatform, refactor, repurchase, retire, retain; NULL: not decided.';

COMMENT ON COLUMN discovery.assets.end_of_life IS 'When the support of its operating system ends; NULL: unknown.';

COMMENT ON COLUMN discovery.assets.debt_score IS '0 to 100, more is worse; NULL: not computed.';

COMMENT ON COLUMN discovery.assets.debt_findings IS 'What makes the score: an array of objects.';

COMMENT ON COLUMN discovery.assets.status IS 'discovered, confirmed, in_migration, migrated, decommissioned.';

COMMENT ON COLUMN discovery.assets.version IS 'Counts changes; kept by a trigger. The ETag.';

COMMENT ON COLUMN discovery.assets.created_at IS 'When the row was made; never changes.';

COMMENT ON COLUMN discovery.assets.updated_at IS 'When the row last changed; kept by a trigger.';

COMMENT ON COLUMN discovery.assets.deleted_at IS 'Since when it is deleted; NULL while live.';

CREATE FUNCTION discovery.keep_assets() RETURNS trigger
    LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM core.refuse_change('assets', changed.column_name)
       FROM (SELECT CASE
            WHEN NEW.project_id IS DISTINCT FROM OLD.project_id THEN 'project_id'
            WHEN NEW.master_flow_id IS DISTINCT FROM OLD.master_flow_id THEN 'master_flow_id'
            END AS column_name) AS changed
      WHERE changed.column_name IS NOT NULL;
    RETURN NEW;
END
$$;

COMMENT ON FUNCTION discovery.keep_assets() IS 'Refuses to change what a row was made with: assets_<column>_immutable.';

CREATE TRIGGER assets_keep
    BEFORE UPDATE OF project_id, master_flow_id
    ON discovery.assets
    FOR EACH ROW EXECUTE FUNCTION discovery.keep_assets();

CREATE TRIGGER assets_touch BEFORE UPDATE ON discovery.assets
    FOR EACH ROW EXECUTE FUNCTION core.touch_version();

CREATE TRIGGER assets_audit_insert AFTER INSERT ON discovery.assets
    REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit.record();

CREATE TRIGGER assets_audit_update AFTER UPDATE ON discovery.assets
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit.record();

CREATE TRIGGER assets_audit_delete AFTER DELETE ON discovery.assets
    REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit.record();

ALTER TABLE discovery.assets ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY assets_tenant ON discovery.assets TO quarry_app, quarry_readonly
    USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid))
    WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));

CREATE POLICY assets_owner ON discovery.assets TO quarry_owner USING (true) WITH CHECK (true);

GRANT SELECT, INSERT, UPDATE, DELETE ON discovery.assets TO quarry_app;

-- The other way round. Partial, so that nothing of it is written during an upload.
ALTER TABLE discovery.raw_records
    ADD CONSTRAINT raw_records_asset_fkey FOREIGN KEY (tenant_id, project_id, asset_id)
        REFERENCES discovery.assets (tenant_id, project_id, id) ON DELETE SET NULL (asset_id);

CREATE INDEX raw_records_asset_idx ON discovery.raw_records (tenant_id, asset_id, project_id) WHERE asset_id IS NOT NULL;

-- ---------------------------------------------------------------------------------------------
-- Dependencies and conflicts

CREATE TABLE discovery.asset_dependencies (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL DEFAULT uuidv7(),
    project_id uuid NOT NULL,
    asset_id uuid NOT NULL,
    depends_on_id uuid,
    target_name text NOT NULL,
    dependency_type text NOT NULL DEFAULT 'unspecified',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT asset_dependencies_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT asset_dependencies_target_name_key UNIQUE (tenant_id, asset_id, project_id, target_name),
    CONSTRAINT asset_dependencies_asset_fkey FOREIGN KEY (tenant_id, project_id, asset_id)
        REFERENCES discovery.assets (tenant_id, project_id, id) ON DELETE CASCADE,
    CONSTRAINT asset_dependencies_depends_on_fkey FOREIGN KEY (tenant_id, project_id, depends_on_id)
        REFERENCES discovery.assets (tenant_id, project_id, id) ON DELETE SET NULL (depends_on_id),
    CONSTRAINT asset_dependencies_depends_on_other CHECK (depends_on_id <> asset_id),
    CONSTRAINT asset_dependencies_target_name_length CHECK (char_length(target_name) BETWEEN 1 AND 255),
    CONSTRAINT asset_dependencies_dependency_type_known CHECK (
        dependency_type IN ('unspecified', 'network', 'database', 'application', 'storage', 'infrastructure'))
);

CREATE INDEX asset_dependencies_depends_on_idx
    ON discovery.asset_dependencies (tenant_id, depends_on_id, project_id) WHERE depends_on_id IS NOT NULL;

COMMENT ON TABLE discovery.asset_dependencies IS 'Which asset needs which.';

COMMENT ON COLUMN discovery.asset_dependencies.tenant_id IS 'The tenant that the row belongs to.';

COMMENT ON COLUMN discovery.asset_dependencies.id IS 'Made by the database; ordered by time.';

COMMENT ON COLUMN discovery.asset_dependencies.project_id IS 'The project.';

COMMENT ON COLUMN discovery.asset_dependencies.asset_id IS 'The asset that needs the other.';

COMMENT ON COLUMN discovery.asset_dependencies.depends_on_id IS 'The asset that is needed; NULL: no asset of that name is known.';

COMMENT ON COLUMN discovery.asset_dependencies.target_name IS 'As the file called what is needed.';

COMMENT ON COLUMN discovery.asset_dependencies.dependency_type IS 'unspecified, network, database, application, storage, infrastructure.';

COMMENT ON COLUMN discovery.asset_dependencies.created_at IS 'When the row was made; never changes.';

COMMENT ON COLUMN discovery.asset_dependencies.updated_at IS 'When the row last changed; kept by a trigger.';

CREATE TRIGGER asset_dependencies_touch BEFORE UPDATE ON discovery.asset_dependencies
    FOR EACH ROW EXECUTE FUNCTION core.touch();

ALTER TABLE discovery.asset_dependencies ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY asset_dependencies_tenant ON discovery.asset_dependencies TO quarry_app, quarry_readonly
    USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid))
    WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));

CREATE POLICY asset_dependencies_owner ON discovery.asset_dependencies TO quarry_owner USING (true) WITH CHECK (true);

GRANT SELECT, INSERT, UPDATE, DELETE ON discovery.asset_dependencies TO quarry_app;

CREATE TABLE discovery.asset_conflicts (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL DEFAULT uuidv7(),
    project_id uuid NOT NULL,
    master_flow_id uuid NOT NULL,
    raw_record_id uuid NOT NULL,
    asset_id uuid NOT NULL,
    kind text NOT NULL,
    incoming jsonb NOT NULL,
    differences jsonb NOT NULL DEFAULT '{}',
    resolution text,
    merge_fields text[],
    resolved_by uuid,
    resolved_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT asset_conflicts_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT asset_conflicts_raw_record_key UNIQUE (tenant_id, raw_record_id, project_id),
    CONSTRAINT asset_conflicts_master_flow_fkey FOREIGN KEY (tenant_id, project_id, master_flow_id)
        REFERENCES discovery.master_flows (tenant_id, project_id, id) ON DELETE CASCADE,
    CONSTRAINT asset_conflicts_raw_record_fkey FOREIGN KEY (tenant_id, project_id, raw_record_id)
        REFERENCES discovery.raw_records (tenant_id, project_id, id) ON DELETE CASCADE,
    CONSTRAINT asset_conflicts_asset_fkey FOREIGN KEY (tenant_id, project_id, asset_id)
        REFERENCES discovery.assets (tenant_id, project_id, id) ON DELETE CASCADE,
    CONSTRAINT asset_conflicts_resolved_by_fkey FOREIGN KEY (tenant_id, resolved_by)
        REFERENCES workspace.users (tenant_id, id),
    CONSTRAINT asset_conflicts_kind_known CHECK (kind IN ('hostname', 'fqdn', 'ip', 'name', 'several')),
    CONSTRAINT asset_conflicts_incoming_object CHECK (jsonb_typeof(incoming) = 'object'),
    CONSTRAINT asset_conflicts_differences_object CHECK (jsonb_typeof(differences) = 'object'),
    CONSTRAINT asset_conflicts_resolution_known CHECK (resolution IN ('keep_existing', 'replace', 'merge')),
    CONSTRAINT asset_conflicts_merge_fields_fit CHECK (merge_fields IS NULL OR resolution = 'merge'),
    CONSTRAINT asset_conflicts_resolved_at_fits CHECK ((resolution IS NULL) = (resolved_at IS NULL))
) WITH (fillfactor = 85);

CREATE INDEX asset_conflicts_newest_idx ON discovery.asset_conflicts (tenant_id, project_id, created_at DESC, id DESC);

CREATE INDEX asset_conflicts_master_flow_idx
    ON discovery.asset_conflicts (tenant_id, master_flow_id, project_id, created_at DESC, id DESC);

CREATE INDEX asset_conflicts_asset_idx ON discovery.asset_conflicts (tenant_id, asset_id, project_id);

CREATE INDEX asset_conflicts_resolved_by_idx
    ON discovery.asset_conflicts (tenant_id, resolved_by) WHERE resolved_by IS NOT NULL;

-- As of master flows.
CREATE STATISTICS discovery.asset_conflicts_of_project (dependencies, ndistinct)
    ON tenant_id, project_id FROM discovery.asset_conflicts;

COMMENT ON STATISTICS discovery.asset_conflicts_of_project IS 'That a project is of one tenant: makes the estimates of rows right.';

COMMENT ON TABLE discovery.asset_conflicts IS 'Rows that are like an asset and yet not the same; somebody decides.';

COMMENT ON COLUMN discovery.asset_conflicts.tenant_id IS 'The tenant that the row belongs to.';

COMMENT ON COLUMN discovery.asset_conflicts.id IS 'Made by the database; ordered by time.';

COMMENT ON COLUMN discovery.asset_conflicts.project_id IS 'The project.';

COMMENT ON COLUMN discovery.asset_conflicts.master_flow_id IS 'The flow that waits.';

COMMENT ON COLUMN discovery.asset_conflicts.raw_record_id IS 'The row that came in.';

COMMENT ON COLUMN discovery.asset_conflicts.asset_id IS 'The asset that was there.';

COMMENT ON COLUMN discovery.asset_conflicts.kind IS 'By what they are alike: hostname, fqdn, ip, name; several: more than one asset is.';

COMMENT ON COLUMN discovery.asset_conflicts.incoming IS 'The row as an asset: a JSON object.';

COMMENT ON COLUMN discovery.asset_conflicts.differences IS 'Per field what is there and what came.';

COMMENT ON COLUMN discovery.asset_conflicts.resolution IS 'keep_existing, replace, merge; NULL: not yet.';

COMMENT ON COLUMN discovery.asset_conflicts.merge_fields IS 'With merge: which fields to take from the row; NULL: those that the asset lacks.';

COMMENT ON COLUMN discovery.asset_conflicts.resolved_by IS 'The user who decided; NULL: a key without a user.';

COMMENT ON COLUMN discovery.asset_conflicts.resolved_at IS 'When it was decided; NULL: not yet.';

COMMENT ON COLUMN discovery.asset_conflicts.created_at IS 'When the row was made; never changes.';

COMMENT ON COLUMN discovery.asset_conflicts.updated_at IS 'When the row last changed; kept by a trigger.';

CREATE FUNCTION discovery.keep_asset_conflicts() RETURNS trigger
    LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM core.refuse_change('asset_conflicts', changed.column_name)
       FROM (SELECT CASE
            WHEN NEW.project_id IS DISTINCT FROM OLD.project_id THEN 'project_id'
            WHEN NEW.master_flow_id IS DISTINCT FROM OLD.master_flow_id THEN 'master_flow_id'
            WHEN NEW.raw_record_id IS DISTINCT FROM OLD.raw_record_id THEN 'raw_record_id'
            WHEN NEW.asset_id IS DISTINCT FROM OLD.asset_id THEN 'asset_id'
            WHEN NEW.kind IS DISTINCT FROM OLD.kind THEN 'kind'
            WHEN NEW.incoming IS DISTINCT FROM OLD.incoming THEN 'incoming'
            END AS column_name) AS changed
      WHERE changed.column_name IS NOT NULL;
    RETURN NEW;
END
$$;

COMMENT ON FUNCTION discovery.keep_asset_conflicts() IS 'Refuses to change what a row was made with: asset_conflicts_<column>_immutable.';

CREATE TRIGGER asset_conflicts_keep
    BEFORE UPDATE OF project_id, master_flow_id, raw_record_id, asset_id, kind, incoming
    ON discovery.asset_conflicts
    FOR EACH ROW EXECUTE FUNCTION discovery.keep_asset_conflicts();

CREATE TRIGGER asset_conflicts_touch BEFORE UPDATE ON discovery.asset_conflicts
    FOR EACH ROW EXECUTE FUNCTION core.touch();

CREATE TRIGGER asset_conflicts_audit_insert AFTER INSERT ON discovery.asset_conflicts
    REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit.record('incoming');

CREATE TRIGGER asset_conflicts_audit_update AFTER UPDATE ON discovery.asset_conflicts
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit.record('incoming');

CREATE TRIGGER asset_conflicts_audit_delete AFTER DELETE ON discovery.asset_conflicts
    REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit.record('incoming');

ALTER TABLE discovery.asset_conflicts ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY asset_conflicts_tenant ON discovery.asset_conflicts TO quarry_app, quarry_readonly
    USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid))
    WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));

CREATE POLICY asset_conflicts_owner ON discovery.asset_conflicts TO quarry_owner USING (true) WITH CHECK (true);

GRANT SELECT, INSERT, UPDATE, DELETE ON discovery.asset_conflicts TO quarry_app;
