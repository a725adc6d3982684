-- depends: 0015-memories
-- Files of users: uploaded here or stored elsewhere; and what erasing a user takes along.

SET LOCAL lock_timeout = '3s';

SET LOCAL statement_timeout = '60s';

SET LOCAL ROLE quarry_owner;

CREATE TABLE assistant.files (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL DEFAULT uuidv7(),
    user_id uuid NOT NULL,
    conversation_id uuid,
    original_name text NOT NULL,
    stored_name text,
    mime_type text NOT NULL,
    size bigint NOT NULL,
    sha256 bytea,
    path text NOT NULL,
    analysis jsonb,
    status text NOT NULL DEFAULT 'uploaded',
    error text,
    processed_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz,
    CONSTRAINT files_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT files_user_fkey FOREIGN KEY (tenant_id, user_id) REFERENCES workspace.users (tenant_id, id),
    CONSTRAINT files_conversation_fkey FOREIGN KEY (tenant_id, conversation_id)
        REFERENCES assistant.conversations (tenant_id, id) ON DELETE SET NULL (conversation_id),
    CONSTRAINT files_original_name_length CHECK (char_length(original_name) BETWEEN 1 AND 255),
    CONSTRAINT files_stored_name_shape CHECK (stored_name ~ '^[a-z0-9][a-z0-9.-]{0,199}$'),
    CONSTRAINT files_stored_whole CHECK (stored_name IS NULL OR sha256 IS NOT NULL),
    CONSTRAINT files_mime_type_shape CHECK (char_length(mime_type) <= 127 AND mime_type ~ '^[!-~]+/[!-~]+( *;[ -~]*)?$'),
    CONSTRAINT files_size_positive CHECK (size >= 0),
    CONSTRAINT files_sha256_length CHECK (octet_length(sha256) = 32),
    CONSTRAINT files_path_length CHECK (char_length(path) BETWEEN 1 AND 2000),
    CONSTRAINT files_analysis_object CHECK (jsonb_typeof(analysis) = 'object'),
    CONSTRAINT files_status_known CHECK (status IN ('uploaded', 'processing', 'processed', 'failed')),
    CONSTRAINT files_error_length CHECK (char_length(error) BETWEEN 1 AND 4000),
    CONSTRAINT files_error_of_failed CHECK ((error IS NOT NULL) = (status = 'failed')),
    CONSTRAINT files_processed_at_of_processed CHECK ((processed_at IS NOT NULL) = (status IN ('processed', 'failed')))
);

-- The same content is kept once for each user.
CREATE UNIQUE INDEX files_sha256_key ON assistant.files (tenant_id, sha256, user_id)
    WHERE deleted_at IS NULL AND sha256 IS NOT NULL;

-- GET /files, newest first; and the foreign key.
CREATE INDEX files_newest_idx ON assistant.files (tenant_id, user_id, created_at DESC, id DESC);

-- GET /files of a conversation.
CREATE INDEX files_conversation_idx ON assistant.files (tenant_id, conversation_id, created_at DESC, id DESC)
    WHERE conversation_id IS NOT NULL;

-- Which files on the disk somebody knows.
CREATE UNIQUE INDEX files_stored_name_key ON assistant.files (tenant_id, stored_name)
    WHERE stored_name IS NOT NULL;

COMMENT ON TABLE assistant.files IS 'Files of users. A deleted one keeps its row; its content is gone.';

COMMENT ON COLUMN assistant.files.tenant_id IS 'The tenant that the row belongs to.';

COMMENT ON COLUMN assistant.files.id IS 'Made by the database; ordered by time.';

COMMENT ON COLUMN assistant.files.user_id IS 'Whose file it is.';

COMMENT ON COLUMN assistant.files.conversation_id IS 'The conversation that it was given in; NULL: none, or purged since.';

COMMENT ON COLUMN assistant.files.original_name IS 'What the caller calls it, 1 to 255 characters; never part of a path.';

COMMENT ON COLUMN assistant.files.stored_name IS 'Name on our disk, made by the service; NULL: it is stored elsewhere.';

COMMENT ON COLUMN assistant.files.mime_type IS 'Media type as the caller gave it, at most 127 characters.';

COMMENT ON COLUMN assistant.files.size IS 'Bytes.';

COMMENT ON COLUMN assistant.files.sha256 IS 'SHA-256 of the content; NULL: stored elsewhere and not told.';

COMMENT ON COLUMN assistant.files.path IS 'Where it lies: below the folder of files, or wherever the caller says.';

COMMENT ON COLUMN assistant.files.analysis IS 'What was found in it, a JSON object; NULL: nothing yet.';

COMMENT ON COLUMN assistant.files.status IS 'uploaded, processing, processed or failed; the last two are final.';

COMMENT ON COLUMN assistant.files.error IS 'Why processing failed.';

COMMENT ON COLUMN assistant.files.processed_at IS 'When processing ended.';

COMMENT ON COLUMN assistant.files.created_at IS 'When the row was made; never changes.';

COMMENT ON COLUMN assistant.files.updated_at IS 'When the row last changed; kept by a trigger.';

COMMENT ON COLUMN assistant.files.deleted_at IS 'Since when the file is deleted; NULL while live.';

CREATE FUNCTION assistant.keep_file() RETURNS trigger
    LANGUAGE plpgsql
AS $$
DECLARE
    changed text;
BEGIN
    changed := CASE
        WHEN NEW.user_id <> OLD.user_id THEN 'user_id'
        WHEN NEW.stored_name IS DISTINCT FROM OLD.stored_name THEN 'stored_name'
        WHEN NEW.size <> OLD.size THEN 'size'
        WHEN NEW.sha256 IS DISTINCT FROM OLD.sha256 THEN 'sha256'
    END;
    IF changed IS NOT NULL THEN
        PERFORM core.refuse_change(TG_TABLE_NAME, changed);
    END IF;
    IF NEW.status <> OLD.status AND OLD.status IN ('processed', 'failed') THEN
        RAISE EXCEPTION 'a file that is % cannot become %', OLD.status, NEW.status
            USING ERRCODE = 'QRY01', TABLE = TG_TABLE_NAME, COLUMN = 'status';
    END IF;
    RETURN NEW;
END
$$;

COMMENT ON FUNCTION assistant.keep_file() IS 'Refuses other content (files_<column>_immutable) and another end of its processing (QRY01).';

CREATE TRIGGER files_keep BEFORE UPDATE OF user_id, stored_name, size, sha256, status ON assistant.files
    FOR EACH ROW EXECUTE FUNCTION assistant.keep_file();

CREATE TRIGGER files_conversation_user BEFORE INSERT OR UPDATE OF conversation_id, user_id ON assistant.files
    FOR EACH ROW WHEN (NEW.conversation_id IS NOT NULL)
    EXECUTE FUNCTION assistant.check_conversation_user();

CREATE TRIGGER files_touch BEFORE UPDATE ON assistant.files
    FOR EACH ROW EXECUTE FUNCTION core.touch();

CREATE TRIGGER files_audit_insert AFTER INSERT ON assistant.files
    REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit.record('analysis', 'error');

CREATE TRIGGER files_audit_update AFTER UPDATE ON assistant.files
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit.record('analysis', 'error');

CREATE TRIGGER files_audit_delete AFTER DELETE ON assistant.files
    REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit.record('analysis', 'error');

ALTER TABLE assistant.files ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY files_tenant ON assistant.files TO quarry_app, quarry_readonly
    USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid))
    WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));

CREATE POLICY files_owner ON assistant.files TO quarry_owner USING (true) WITH CHECK (true);

GRANT SELECT, INSERT, UPDATE, DELETE ON assistant.files TO quarry_app;

INSERT INTO audit.personal_columns (table_name, column_name)
VALUES ('assistant.files', 'original_name'), ('assistant.files', 'path');

-- ---------------------------------------------------------------------------------------------
-- Erasing a user

-- audit.redact() for many rows at once, with one event for all of them on the user's row: a user
-- may have thousands of conversations. In a statement of its own, after the rows are gone.
CREATE FUNCTION assistant.redact(of_user uuid, of_table text, of_rows uuid[]) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    of_tenant uuid := nullif(current_setting('app.tenant_id', true), '')::uuid;
    personal text[];
    redacted bigint;
BEGIN
    IF of_tenant IS NULL THEN
        RAISE EXCEPTION 'app.tenant_id is not set' USING ERRCODE = 'insufficient_privilege';
    END IF;
    SELECT array_agg(p.column_name) INTO personal
      FROM audit.personal_columns AS p
     WHERE p.table_name = of_table AND of_table LIKE 'assistant.%';
    IF personal IS NULL THEN
        RAISE EXCEPTION 'table "%" has no personal columns here', of_table USING ERRCODE = 'invalid_parameter_value';
    END IF;

    UPDATE audit.events AS e
       SET before = audit.erased(e.before, personal),
           after = audit.erased(e.after, personal)
     WHERE e.tenant_id = of_tenant AND e.table_name = of_table AND e.row_id = ANY (of_rows)
       AND (e.before ?| personal OR e.after ?| personal);
    GET DIAGNOSTICS redacted = ROW_COUNT;

    INSERT INTO audit.events (tenant_id, actor, user_id, request_id, table_name, row_id, action, after)
    VALUES (of_tenant,
            coalesce(nullif(current_setting('app.actor', true), ''), session_user),
            nullif(current_setting('app.user_id', true), '')::uuid,
            nullif(current_setting('app.request_id', true), ''),
            'workspace.users', of_user, 'redact',
            jsonb_build_object('table', of_table, 'rows', cardinality(of_rows), 'columns', personal, 'events', redacted));
    RETURN redacted;
END
$$;

COMMENT ON FUNCTION assistant.redact(uuid, text, uuid[]) IS 'Takes personal columns of many rows out of their events, and says so in an event of the user; answers how many events changed.';

GRANT EXECUTE ON FUNCTION assistant.redact(uuid, text, uuid[]) TO quarry_app;
