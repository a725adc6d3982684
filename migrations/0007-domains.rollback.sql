-- The rules are CHECKs of the tables again.
-- squawk-ignore-file changing-column-type, constraint-missing-not-valid, prefer-bigint-over-int

SET LOCAL lock_timeout = '3s';

SET LOCAL statement_timeout = '600s';

SET LOCAL ROLE quarry_owner;

ALTER TABLE audit.events
    ALTER COLUMN action TYPE text,
    ADD CONSTRAINT events_action_known CHECK (action IN ('insert', 'update', 'delete', 'redact'));

DROP TRIGGER projects_keep_language ON workspace.projects;

ALTER TABLE workspace.projects
    ALTER COLUMN name TYPE text,
    ALTER COLUMN status TYPE text,
    ALTER COLUMN language TYPE text,
    ALTER COLUMN current_step TYPE integer,
    ALTER COLUMN metadata TYPE jsonb,
    ADD CONSTRAINT projects_name_length CHECK (char_length(name) BETWEEN 1 AND 255),
    ADD CONSTRAINT projects_status_known CHECK (status IN ('draft', 'active', 'in_review', 'completed', 'archived')),
    ADD CONSTRAINT projects_language_length CHECK (char_length(language) BETWEEN 2 AND 10),
    ADD CONSTRAINT projects_language_shape CHECK (language ~ '^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*$'),
    ADD CONSTRAINT projects_current_step_range CHECK (current_step BETWEEN 1 AND 4),
    ADD CONSTRAINT projects_metadata_object CHECK (jsonb_typeof(metadata) = 'object');

CREATE TRIGGER projects_keep_language BEFORE UPDATE OF language ON workspace.projects
    FOR EACH ROW WHEN (NEW.language IS DISTINCT FROM OLD.language)
    EXECUTE FUNCTION workspace.keep_language();

DROP DOMAIN audit.action;

DROP DOMAIN workspace.project_metadata;

DROP DOMAIN workspace.project_step;

DROP DOMAIN workspace.language_tag;

DROP DOMAIN workspace.project_status;

DROP DOMAIN workspace.project_name;
