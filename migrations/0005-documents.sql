-- depends: 0004-workspace
-- Documents: versions that are numbered without gaps and never change, and how they are searched.

SET LOCAL lock_timeout = '3s';

SET LOCAL statement_timeout = '60s';

SET LOCAL ROLE quarry_owner;

-- ---------------------------------------------------------------------------------------------
-- Search configurations

-- PostgreSQL's own configurations, each with unaccent in front of its dictionaries. As a dictionary
-- rather than as a function around the text: so ts_headline() marks the words as they are written.
DO $$
DECLARE
    own record;
    last_dictionaries text;
BEGIN
    FOR own IN
        SELECT c.oid, c.cfgname
          FROM pg_catalog.pg_ts_config AS c
         WHERE c.cfgnamespace = 'pg_catalog'::regnamespace
         ORDER BY c.cfgname
    LOOP
        EXECUTE format('CREATE TEXT SEARCH CONFIGURATION workspace.%1$I (COPY = pg_catalog.%1$I)', own.cfgname);
        EXECUTE format('COMMENT ON TEXT SEARCH CONFIGURATION workspace.%1$I IS %2$L', own.cfgname,
                       'pg_catalog.' || own.cfgname || ' through unaccent.');
        SELECT string_agg('pg_catalog.' || quote_ident(d.dictname), ', ' ORDER BY m.mapseqno)
          INTO STRICT last_dictionaries
          FROM pg_catalog.pg_ts_config_map AS m
          JOIN pg_catalog.pg_ts_dict AS d ON d.oid = m.mapdict
         WHERE m.mapcfg = own.oid
           AND m.maptokentype = (SELECT t.tokid FROM ts_token_type('default') AS t WHERE t.alias = 'word');
        EXECUTE format('ALTER TEXT SEARCH CONFIGURATION workspace.%I ALTER MAPPING FOR hword, hword_part, word WITH extensions.unaccent, %s',
                       own.cfgname, last_dictionaries);
    END LOOP;
END
$$;

-- By the first part of the tag: de-AT is German.
CREATE FUNCTION workspace.text_search_config(language text) RETURNS regconfig
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE split_part(lower(language), '-', 1)
           WHEN 'ar' THEN 'workspace.arabic'::regconfig
           WHEN 'ca' THEN 'workspace.catalan'::regconfig
           WHEN 'da' THEN 'workspace.danish'::regconfig
           WHEN 'de' THEN 'workspace.german'::regconfig
           WHEN 'el' THEN 'workspace.greek'::regconfig
           WHEN 'en' THEN 'workspace.english'::regconfig
           WHEN 'es' THEN 'workspace.spanish'::regconfig
           WHEN 'et' THEN 'workspace.estonian'::regconfig
           WHEN 'eu' THEN 'workspace.basque'::regconfig
           WHEN 'fi' THEN 'workspace.finnish'::regconfig
           WHEN 'fr' THEN 'workspace.french'::regconfig
           WHEN 'ga' THEN 'workspace.irish'::regconfig
           WHEN 'hi' THEN 'workspace.hindi'::regconfig
           WHEN 'hu' THEN 'workspace.hungarian'::regconfig
           WHEN 'hy' THEN 'workspace.armenian'::regconfig
           WHEN 'id' THEN 'workspace.indonesian'::regconfig
           WHEN 'it' THEN 'workspace.italian'::regconfig
           WHEN 'lt' THEN 'workspace.lithuanian'::regconfig
           WHEN 'nb' THEN 'workspace.norwegian'::regconfig
           WHEN 'ne' THEN 'workspace.nepali'::regconfig
           WHEN 'nl' THEN 'workspace.dutch'::regconfig
           WHEN 'nn' THEN 'workspace.norwegian'::regconfig
           WHEN 'no' THEN 'workspace.norwegian'::regconfig
           WHEN 'pt' THEN 'workspace.portuguese'::regconfig
           WHEN 'ro' THEN 'workspace.romanian'::regconfig
           WHEN 'ru' THEN 'workspace.russian'::regconfig
           WHEN 'sr' THEN 'workspace.serbian'::regconfig
           WHEN 'sv' THEN 'workspace.swedish'::regconfig
           WHEN 'ta' THEN 'workspace.tamil'::regconfig
           WHEN 'tr' THEN 'workspace.turkish'::regconfig
           WHEN 'yi' THEN 'workspace.yiddish'::regconfig
           ELSE 'workspace.simple'::regconfig
           END;

COMMENT ON FUNCTION workspace.text_search_config(text) IS 'The search configuration for a BCP 47 tag; workspace.simple where PostgreSQL has none.';

-- A vector holds at most 1 MiB, and 1 MiB of text made of ever new words needs more than that. Then
-- the beginning of the text is searchable and the rest is not: better than a refused document.
CREATE FUNCTION workspace.search_vector(config regconfig, content text) RETURNS tsvector
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
AS $$
DECLARE
    part integer := char_length(content);
BEGIN
    LOOP
        BEGIN
            RETURN to_tsvector(config, left(content, part));
        EXCEPTION WHEN program_limit_exceeded THEN
            part := part * 2 / 3;
        END;
    END LOOP;
END
$$;

COMMENT ON FUNCTION workspace.search_vector(regconfig, text) IS 'to_tsvector() of the text, or of as much of its beginning as fits.';

-- ---------------------------------------------------------------------------------------------
-- Version numbers

-- A sequence leaves gaps and max(version) + 1 hands one number out twice. This row is locked by the
-- transaction that takes a number until it ends: numbers go out one by one, a rollback gives its
-- number back, and a number stays taken when its document is deleted.
-- Not audited: the documents themselves are.
CREATE TABLE workspace.document_counters (
    tenant_id uuid NOT NULL,
    project_id uuid NOT NULL,
    document_type text NOT NULL,
    last_version integer NOT NULL,
    CONSTRAINT document_counters_pkey PRIMARY KEY (tenant_id, project_id, document_type),
    CONSTRAINT document_counters_project_fkey FOREIGN KEY (tenant_id, project_id)
        REFERENCES workspace.projects (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT document_counters_last_version_positive CHECK (last_version >= 1)
) WITH (fillfactor = 50);

COMMENT ON TABLE workspace.document_counters IS 'The last version number that was handed out, per project and document type.';

COMMENT ON COLUMN workspace.document_counters.tenant_id IS 'The tenant that the row belongs to.';

COMMENT ON COLUMN workspace.document_counters.project_id IS 'The project.';

COMMENT ON COLUMN workspace.document_counters.document_type IS 'As in document_versions.';

COMMENT ON COLUMN workspace.document_counters.last_version IS 'The number handed out last.';

CREATE FUNCTION workspace.keep_counting() RETURNS trigger
    LANGUAGE plpgsql
AS $$
BEGIN
    RAISE EXCEPTION 'version numbers are never handed out again'
        USING ERRCODE = 'check_violation', CONSTRAINT = 'document_counters_last_version_grows',
              TABLE = 'document_counters', COLUMN = 'last_version';
END
$$;

COMMENT ON FUNCTION workspace.keep_counting() IS 'Refuses to turn a counter back: document_counters_last_version_grows.';

CREATE TRIGGER document_counters_keep_counting BEFORE UPDATE ON workspace.document_counters
    FOR EACH ROW WHEN (NEW.last_version <= OLD.last_version)
    EXECUTE FUNCTION workspace.keep_counting();

ALTER TABLE workspace.document_counters ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY document_counters_tenant ON workspace.document_counters TO quarry_app, quarry_readonly
    USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid))
    WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));

CREATE POLICY document_counters_owner ON workspace.document_counters TO quarry_owner USING (true) WITH CHECK (true);

GRANT SELECT, INSERT, UPDATE ON workspace.document_counters TO quarry_app;

-- ---------------------------------------------------------------------------------------------
-- Documents

-- fillfactor: metadata and scores are in no index, so that a later quality check is a HOT update.
CREATE TABLE workspace.document_versions (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL DEFAULT uuidv7(),
    project_id uuid NOT NULL,
    document_type text NOT NULL,
    version integer NOT NULL,
    revision integer NOT NULL DEFAULT 1,
    content text NOT NULL,
    content_sha256 bytea NOT NULL,
    metadata jsonb NOT NULL DEFAULT '{}',
    readability_score numeric(5, 2),
    grammar_score numeric(5, 2),
    created_by uuid,
    based_on uuid,
    search tsvector NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz,
    CONSTRAINT document_versions_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT document_versions_project_fkey FOREIGN KEY (tenant_id, project_id)
        REFERENCES workspace.projects (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT document_versions_created_by_fkey FOREIGN KEY (tenant_id, created_by) REFERENCES workspace.users (tenant_id, id),
    CONSTRAINT document_versions_based_on_fkey FOREIGN KEY (tenant_id, based_on)
        REFERENCES workspace.document_versions (tenant_id, id),
    CONSTRAINT document_versions_document_type_length CHECK (char_length(document_type) BETWEEN 1 AND 50),
    CONSTRAINT document_versions_version_positive CHECK (version >= 1),
    CONSTRAINT document_versions_revision_positive CHECK (revision >= 1),
    CONSTRAINT document_versions_content_length CHECK (octet_length(content) BETWEEN 1 AND 1048576),
    CONSTRAINT document_versions_content_sha256_length CHECK (octet_length(content_sha256) = 32),
    CONSTRAINT document_versions_metadata_object CHECK (jsonb_typeof(metadata) = 'object'),
    CONSTRAINT document_versions_readability_score_range CHECK (readability_score BETWEEN 0 AND 100),
    CONSTRAINT document_versions_grammar_score_range CHECK (grammar_score BETWEEN 0 AND 100)
) WITH (fillfactor = 90);

-- One index for three: the number is unique, the list is in this order, the latest is its first row.
CREATE UNIQUE INDEX document_versions_version_key
    ON workspace.document_versions (tenant_id, project_id, document_type, version DESC);

CREATE INDEX document_versions_created_by_idx
    ON workspace.document_versions (tenant_id, created_by) WHERE created_by IS NOT NULL;

CREATE INDEX document_versions_based_on_idx
    ON workspace.document_versions (tenant_id, based_on) WHERE based_on IS NOT NULL;

-- No GIN index on search: @@ is not leakproof, so under row-level security it is never an index
-- condition. A search is within one project, whose documents the index above finds.

COMMENT ON TABLE workspace.document_versions IS 'Versions of a projects documents. What is written stays as it is; a change is a new version.';

COMMENT ON COLUMN workspace.document_versions.tenant_id IS 'The tenant that the row belongs to.';

COMMENT ON COLUMN workspace.document_versions.id IS 'Made by the database; ordered by time.';

COMMENT ON COLUMN workspace.document_versions.created_at IS 'When the row was made; never changes.';

COMMENT ON COLUMN workspace.document_versions.updated_at IS 'When the row last changed; kept by a trigger.';

COMMENT ON COLUMN workspace.document_versions.project_id IS 'The project.';

COMMENT ON COLUMN workspace.document_versions.document_type IS '1 to 50 characters; versions are counted per project and type.';

COMMENT ON COLUMN workspace.document_versions.version IS 'Number of the version, from 1, without gaps, never given twice. Leave it out: the database hands it out.';

COMMENT ON COLUMN workspace.document_versions.revision IS 'Counts changes of metadata and scores; kept by a trigger. The ETag.';

COMMENT ON COLUMN workspace.document_versions.content IS '1 byte to 1 MiB; never changes.';

COMMENT ON COLUMN workspace.document_versions.content_sha256 IS 'SHA-256 of the content as UTF-8; kept by a trigger.';

COMMENT ON COLUMN workspace.document_versions.metadata IS 'Free JSON object.';

COMMENT ON COLUMN workspace.document_versions.readability_score IS '0 to 100; NULL: not measured.';

COMMENT ON COLUMN workspace.document_versions.grammar_score IS '0 to 100; NULL: not measured.';

COMMENT ON COLUMN workspace.document_versions.created_by IS 'The user who wrote it; NULL: a key without a user.';

COMMENT ON COLUMN workspace.document_versions.based_on IS 'The version that this one was made from, of the same project and type; NULL: none.';

COMMENT ON COLUMN workspace.document_versions.search IS 'Search vector of the content in the projects language; kept by a trigger.';

COMMENT ON COLUMN workspace.document_versions.deleted_at IS 'Since when the version is deleted; NULL while live. Its number stays taken.';

-- Hash, search vector and number are the database's own work, so that no way of writing a document
-- can get them wrong. A number that the statement took from the counter itself is accepted when it
-- is the last one.
CREATE FUNCTION workspace.complete_document() RETURNS trigger
    LANGUAGE plpgsql
AS $$
DECLARE
    project_language text;
    counted integer;
BEGIN
    SELECT p.language INTO project_language
      FROM workspace.projects AS p
     WHERE p.tenant_id = NEW.tenant_id AND p.id = NEW.project_id;
    -- Without a project the foreign key refuses the row; here it only must not be in the way.
    NEW.search := workspace.search_vector(workspace.text_search_config(coalesce(project_language, '')), NEW.content);
    NEW.content_sha256 := sha256(convert_to(NEW.content, 'UTF8'));
    NEW.revision := 1;

    IF NEW.based_on IS NOT NULL AND NOT EXISTS (
        SELECT FROM workspace.document_versions AS d
         WHERE d.tenant_id = NEW.tenant_id AND d.id = NEW.based_on
           AND d.project_id = NEW.project_id AND d.document_type = NEW.document_type)
    THEN
        RAISE EXCEPTION 'a version is based on one of the same project and type'
            USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'document_versions_based_on_fkey',
                  TABLE = TG_TABLE_NAME, COLUMN = 'based_on';
    END IF;

    IF NEW.version IS NULL THEN
        INSERT INTO workspace.document_counters AS c (tenant_id, project_id, document_type, last_version)
        VALUES (NEW.tenant_id, NEW.project_id, NEW.document_type, 1)
            ON CONFLICT (tenant_id, project_id, document_type) DO UPDATE SET last_version = c.last_version + 1
        RETURNING c.last_version INTO NEW.version;
        RETURN NEW;
    END IF;
    SELECT c.last_version INTO counted
      FROM workspace.document_counters AS c
     WHERE c.tenant_id = NEW.tenant_id AND c.project_id = NEW.project_id AND c.document_type = NEW.document_type;
    IF NEW.version IS DISTINCT FROM counted THEN
        RAISE EXCEPTION 'version numbers are handed out by document_counters'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'document_versions_version_gapless',
                  TABLE = TG_TABLE_NAME, COLUMN = 'version';
    END IF;
    RETURN NEW;
END
$$;

COMMENT ON FUNCTION workspace.complete_document() IS 'BEFORE INSERT: hash, search vector and number of a document version.';

CREATE TRIGGER document_versions_complete BEFORE INSERT ON workspace.document_versions
    FOR EACH ROW EXECUTE FUNCTION workspace.complete_document();

-- By column list, so that an update of scores does not fetch the content to find it unchanged.
CREATE FUNCTION workspace.keep_document() RETURNS trigger
    LANGUAGE plpgsql
AS $$
DECLARE
    changed text;
BEGIN
    changed := CASE
        WHEN NEW.project_id <> OLD.project_id THEN 'project_id'
        WHEN NEW.document_type <> OLD.document_type THEN 'document_type'
        WHEN NEW.version <> OLD.version THEN 'version'
        WHEN NEW.content <> OLD.content THEN 'content'
        WHEN NEW.content_sha256 <> OLD.content_sha256 THEN 'content_sha256'
        WHEN NEW.created_by IS DISTINCT FROM OLD.created_by THEN 'created_by'
        WHEN NEW.based_on IS DISTINCT FROM OLD.based_on THEN 'based_on'
    END;
    IF changed IS NOT NULL THEN
        PERFORM core.refuse_change(TG_TABLE_NAME, changed);
    END IF;
    RETURN NEW;
END
$$;

COMMENT ON FUNCTION workspace.keep_document() IS 'Refuses to change what is written: document_versions_<column>_immutable.';

CREATE TRIGGER document_versions_keep
    BEFORE UPDATE OF project_id, document_type, version, content, content_sha256, created_by, based_on
    ON workspace.document_versions
    FOR EACH ROW EXECUTE FUNCTION workspace.keep_document();

CREATE FUNCTION workspace.touch_document() RETURNS trigger
    LANGUAGE plpgsql
AS $$
BEGIN
    IF NEW.id <> OLD.id THEN
        PERFORM core.refuse_change(TG_TABLE_NAME, 'id');
    ELSIF NEW.tenant_id <> OLD.tenant_id THEN
        PERFORM core.refuse_change(TG_TABLE_NAME, 'tenant_id');
    ELSIF NEW.created_at IS DISTINCT FROM OLD.created_at THEN
        PERFORM core.refuse_change(TG_TABLE_NAME, 'created_at');
    END IF;
    NEW.updated_at := clock_timestamp();
    NEW.revision := OLD.revision
        + ((NEW.metadata, NEW.readability_score, NEW.grammar_score)
           IS DISTINCT FROM (OLD.metadata, OLD.readability_score, OLD.grammar_score))::integer;
    RETURN NEW;
END
$$;

COMMENT ON FUNCTION workspace.touch_document() IS 'As core.touch(), and counts revision up when metadata or scores changed.';

CREATE TRIGGER document_versions_touch BEFORE UPDATE ON workspace.document_versions
    FOR EACH ROW EXECUTE FUNCTION workspace.touch_document();

CREATE TRIGGER document_versions_audit_insert AFTER INSERT ON workspace.document_versions
    REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit.record('content', 'search');

CREATE TRIGGER document_versions_audit_update AFTER UPDATE ON workspace.document_versions
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit.record('content', 'search');

CREATE TRIGGER document_versions_audit_delete AFTER DELETE ON workspace.document_versions
    REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit.record('content', 'search');

ALTER TABLE workspace.document_versions ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY document_versions_tenant ON workspace.document_versions TO quarry_app, quarry_readonly
    USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid))
    WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));

CREATE POLICY document_versions_owner ON workspace.document_versions TO quarry_owner USING (true) WITH CHECK (true);

-- No DELETE: a version goes softly, or with its whole project.
GRANT SELECT, INSERT, UPDATE ON workspace.document_versions TO quarry_app;

GRANT EXECUTE ON FUNCTION workspace.text_search_config(text), workspace.search_vector(regconfig, text)
    TO quarry_app, quarry_readonly, quarry_backup;
