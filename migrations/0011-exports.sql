-- depends: 0010-jobs
-- Exports: a project's documents as one file, built outside of the request.

SET LOCAL lock_timeout = '3s';

SET LOCAL statement_timeout = '60s';

SET LOCAL ROLE quarry_owner;

-- The job that builds an export has the export's id. Its progress is not kept here: each note of it
-- would be an event of the audit trail.
CREATE TABLE workspace.exports (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL DEFAULT uuidv7(),
    project_id uuid NOT NULL,
    format text NOT NULL,
    document_types text[],
    versions text NOT NULL DEFAULT 'latest',
    status text NOT NULL DEFAULT 'pending',
    manifest jsonb NOT NULL DEFAULT '{}',
    file_name text,
    file_size bigint,
    file_sha256 bytea,
    error_message text,
    expires_at timestamptz,
    completed_at timestamptz,
    download_count integer NOT NULL DEFAULT 0,
    created_by uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT exports_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT exports_project_fkey FOREIGN KEY (tenant_id, project_id)
        REFERENCES workspace.projects (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT exports_created_by_fkey FOREIGN KEY (tenant_id, created_by) REFERENCES workspace.users (tenant_id, id),
    CONSTRAINT exports_format_known CHECK (format IN ('zip', 'ndjson')),
    CONSTRAINT exports_document_types_size CHECK (
        cardinality(document_types) BETWEEN 1 AND 100
        AND array_position(document_types, NULL) IS NULL AND '' <> ALL (document_types)),
    CONSTRAINT exports_versions_known CHECK (versions IN ('latest', 'all')),
    CONSTRAINT exports_status_known CHECK (status IN ('pending', 'running', 'completed', 'failed', 'expired')),
    CONSTRAINT exports_manifest_object CHECK (jsonb_typeof(manifest) = 'object'),
    CONSTRAINT exports_file_name_length CHECK (char_length(file_name) BETWEEN 1 AND 255),
    CONSTRAINT exports_file_size_positive CHECK (file_size >= 0),
    CONSTRAINT exports_file_sha256_length CHECK (octet_length(file_sha256) = 32),
    CONSTRAINT exports_error_message_length CHECK (char_length(error_message) BETWEEN 1 AND 1000),
    CONSTRAINT exports_download_count_positive CHECK (download_count >= 0),
    CONSTRAINT exports_completed_whole CHECK (
        status NOT IN ('completed', 'expired')
        OR num_nulls(file_name, file_size, file_sha256, completed_at, expires_at) = 0),
    CONSTRAINT exports_failed_told CHECK (status <> 'failed' OR error_message IS NOT NULL)
) WITH (fillfactor = 85);

-- The foreign key, and GET /projects/{id}/exports, newest first.
CREATE INDEX exports_newest_idx ON workspace.exports (tenant_id, project_id, created_at DESC, id DESC);

CREATE INDEX exports_created_by_idx ON workspace.exports (tenant_id, created_by) WHERE created_by IS NOT NULL;

-- For upkeep alone, which works over all tenants.
CREATE INDEX exports_expires_at_idx ON workspace.exports (expires_at) WHERE status = 'completed';

CREATE INDEX exports_unfinished_idx ON workspace.exports (created_at) WHERE status IN ('pending', 'running');

COMMENT ON TABLE workspace.exports IS 'A projects documents as one file. The file is gone after expires_at; the row stays.';

COMMENT ON COLUMN workspace.exports.tenant_id IS 'The tenant that the row belongs to.';

COMMENT ON COLUMN workspace.exports.id IS 'Made by the database; ordered by time. The id of its job, too.';

COMMENT ON COLUMN workspace.exports.created_at IS 'When the row was made; never changes.';

COMMENT ON COLUMN workspace.exports.updated_at IS 'When the row last changed; kept by a trigger.';

COMMENT ON COLUMN workspace.exports.project_id IS 'The project.';

COMMENT ON COLUMN workspace.exports.format IS 'zip: a file per document version and manifest.json; ndjson: a line of JSON per document version.';

COMMENT ON COLUMN workspace.exports.document_types IS 'Only these types; NULL: all.';

COMMENT ON COLUMN workspace.exports.versions IS 'latest: the highest live version of each type; all: every live version.';

COMMENT ON COLUMN workspace.exports.status IS 'pending, running, completed, failed, expired.';

COMMENT ON COLUMN workspace.exports.manifest IS 'What is in the file: documents, bytes, and up to 1,000 documents one by one. {} until completed.';

COMMENT ON COLUMN workspace.exports.file_name IS 'What the download is called; not where the file lies.';

COMMENT ON COLUMN workspace.exports.file_size IS 'Bytes.';

COMMENT ON COLUMN workspace.exports.file_sha256 IS 'SHA-256 of the file; the ETag of its download.';

COMMENT ON COLUMN workspace.exports.error_message IS 'Why it failed; NULL otherwise.';

COMMENT ON COLUMN workspace.exports.expires_at IS 'From when the file is gone; NULL until completed.';

COMMENT ON COLUMN workspace.exports.completed_at IS 'When the file was complete; NULL before.';

COMMENT ON COLUMN workspace.exports.download_count IS 'Downloads that began at the first byte.';

COMMENT ON COLUMN workspace.exports.created_by IS 'The user who asked for it; NULL: a key without a user.';

-- pending → running, failed · running → completed, failed · completed → expired, failed (the file was
-- lost) · failed → running (an operator let its job run again) · expired is final.
CREATE FUNCTION workspace.keep_export() RETURNS trigger
    LANGUAGE plpgsql
AS $$
DECLARE
    changed text;
BEGIN
    changed := CASE
        WHEN NEW.project_id <> OLD.project_id THEN 'project_id'
        WHEN NEW.format <> OLD.format THEN 'format'
        WHEN NEW.document_types IS DISTINCT FROM OLD.document_types THEN 'document_types'
        WHEN NEW.versions <> OLD.versions THEN 'versions'
        WHEN NEW.created_by IS DISTINCT FROM OLD.created_by THEN 'created_by'
        WHEN OLD.completed_at IS NULL OR NEW.status = 'running' THEN NULL
        WHEN NEW.manifest <> OLD.manifest THEN 'manifest'
        WHEN NEW.file_name <> OLD.file_name THEN 'file_name'
        WHEN NEW.file_size <> OLD.file_size THEN 'file_size'
        WHEN NEW.file_sha256 <> OLD.file_sha256 THEN 'file_sha256'
        WHEN NEW.completed_at <> OLD.completed_at THEN 'completed_at'
    END;
    IF changed IS NOT NULL THEN
        PERFORM core.refuse_change(TG_TABLE_NAME, changed);
    END IF;
    IF NEW.status <> OLD.status AND (OLD.status, NEW.status) NOT IN (
        VALUES ('pending', 'running'), ('pending', 'failed'), ('running', 'completed'), ('running', 'failed'),
               ('completed', 'expired'), ('completed', 'failed'), ('failed', 'running'))
    THEN
        RAISE EXCEPTION 'an export that is % cannot become %', OLD.status, NEW.status USING ERRCODE = 'QRY01';
    END IF;
    IF NEW.status = 'running' AND OLD.status = 'failed' THEN
        NEW.error_message := NULL;
        NEW.completed_at := NULL;
    END IF;
    RETURN NEW;
END
$$;

COMMENT ON FUNCTION workspace.keep_export() IS 'BEFORE UPDATE: what was asked for and what was built stay, and the states follow each other as they may.';

CREATE TRIGGER exports_keep BEFORE UPDATE ON workspace.exports
    FOR EACH ROW EXECUTE FUNCTION workspace.keep_export();

CREATE TRIGGER exports_touch BEFORE UPDATE ON workspace.exports
    FOR EACH ROW EXECUTE FUNCTION core.touch();

CREATE TRIGGER exports_audit_insert AFTER INSERT ON workspace.exports
    REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit.record('manifest');

CREATE TRIGGER exports_audit_update AFTER UPDATE ON workspace.exports
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit.record('manifest');

CREATE TRIGGER exports_audit_delete AFTER DELETE ON workspace.exports
    REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit.record('manifest');

ALTER TABLE workspace.exports ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY exports_tenant ON workspace.exports TO quarry_app, quarry_readonly
    USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid))
    WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));

CREATE POLICY exports_owner ON workspace.exports TO quarry_owner USING (true) WITH CHECK (true);

GRANT SELECT, INSERT, UPDATE, DELETE ON workspace.exports TO quarry_app;

-- ---------------------------------------------------------------------------------------------
-- Upkeep has no tenant, and without one the service sees no row. These tell ids, never contents.

CREATE FUNCTION workspace.expire_exports(batch integer DEFAULT 1000)
    RETURNS TABLE (tenant_id uuid, export_id uuid)
    LANGUAGE sql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH due AS (
        SELECT e.tenant_id, e.id
          FROM workspace.exports AS e
         WHERE e.status = 'completed'
           AND e.expires_at < now()
         ORDER BY e.expires_at
         LIMIT batch
           FOR UPDATE SKIP LOCKED
    )
    UPDATE workspace.exports AS e
       SET status = 'expired'
      FROM due
     WHERE e.tenant_id = due.tenant_id AND e.id = due.id
    RETURNING e.tenant_id, e.id;
END;

COMMENT ON FUNCTION workspace.expire_exports(integer) IS 'Expires up to batch exports of all tenants whose time is over; answers which.';

-- An export and its job are made in one transaction, and a job that ends takes its export along.
-- What is left is a job that an operator cancelled.
CREATE FUNCTION workspace.abandon_exports() RETURNS bigint
    LANGUAGE sql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH abandoned AS (
        UPDATE workspace.exports AS e
           SET status = 'failed', error_message = 'The export was cancelled.'
         WHERE e.status IN ('pending', 'running')
           AND NOT EXISTS (SELECT FROM ops.jobs AS j
                            WHERE j.tenant_id = e.tenant_id AND j.id = e.id AND j.state IN ('queued', 'running'))
        RETURNING 1
    )
    SELECT count(*) FROM abandoned;
END;

COMMENT ON FUNCTION workspace.abandon_exports() IS 'Fails the exports of all tenants that no job works for any more; answers how many.';

CREATE FUNCTION workspace.describe_exports(tenants uuid[], exports uuid[])
    RETURNS TABLE (tenant_id uuid, export_id uuid, status text, file_sha256 text)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT e.tenant_id, e.id, e.status, encode(e.file_sha256, 'hex')
      FROM unnest(tenants, exports) AS asked (tenant_id, id)
      JOIN workspace.exports AS e ON e.tenant_id = asked.tenant_id AND e.id = asked.id;
END;

COMMENT ON FUNCTION workspace.describe_exports(uuid[], uuid[]) IS 'What the files of these exports should be, to tell stray ones; no row for an export that is gone.';

GRANT EXECUTE ON FUNCTION workspace.expire_exports(integer), workspace.abandon_exports(),
    workspace.describe_exports(uuid[], uuid[]) TO quarry_app;
