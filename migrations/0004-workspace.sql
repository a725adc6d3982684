-- depends: 0003-audit
-- The workspace: users own projects, members share them.

SET LOCAL lock_timeout = '3s';

SET LOCAL statement_timeout = '60s';

SET LOCAL ROLE quarry_owner;

CREATE SCHEMA workspace;

COMMENT ON SCHEMA workspace IS 'Users, projects and what is inside of them.';

GRANT USAGE ON SCHEMA workspace TO quarry_app, quarry_readonly, quarry_backup;

-- Reports may read every table that will ever be made here, under the same policies.
ALTER DEFAULT PRIVILEGES FOR ROLE quarry_owner IN SCHEMA workspace GRANT SELECT ON TABLES TO quarry_readonly;

-- ---------------------------------------------------------------------------------------------
-- Users

-- fillfactor: a login writes last_login_at, which no index holds, so with room on the page the
-- update is HOT and touches no index at all.
CREATE TABLE workspace.users (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL DEFAULT uuidv7(),
    email text NOT NULL,
    name text NOT NULL,
    profile jsonb NOT NULL DEFAULT '{}',
    last_login_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz,
    CONSTRAINT users_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT users_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES core.tenants (id),
    CONSTRAINT users_email_length CHECK (char_length(email) <= 254),
    CONSTRAINT users_email_shape CHECK (email ~ '^[^@[:space:]]+@[^@[:space:]]+\.[^@[:space:].]+$'),
    CONSTRAINT users_name_length CHECK (char_length(name) BETWEEN 1 AND 255),
    CONSTRAINT users_profile_object CHECK (jsonb_typeof(profile) = 'object')
) WITH (fillfactor = 85);

-- Among live users only: an address may return after its user was deleted.
CREATE UNIQUE INDEX users_email_key ON workspace.users (tenant_id, lower(email)) WHERE deleted_at IS NULL;

-- GET /users, newest first.
CREATE INDEX users_newest_idx ON workspace.users (tenant_id, created_at DESC, id DESC) WHERE deleted_at IS NULL;

COMMENT ON TABLE workspace.users IS 'People. A deleted user keeps the row, so that what he made stays linked.';

COMMENT ON COLUMN workspace.users.tenant_id IS 'The tenant that the row belongs to.';

COMMENT ON COLUMN workspace.users.id IS 'Made by the database; ordered by time.';

COMMENT ON COLUMN workspace.users.created_at IS 'When the row was made; never changes.';

COMMENT ON COLUMN workspace.users.updated_at IS 'When the row last changed; kept by a trigger.';

COMMENT ON COLUMN workspace.users.email IS 'Unique per tenant among live users, whatever the case; written as given.';

COMMENT ON COLUMN workspace.users.name IS 'What to call the person, 1 to 255 characters.';

COMMENT ON COLUMN workspace.users.profile IS 'Free JSON object.';

COMMENT ON COLUMN workspace.users.last_login_at IS 'Last get-or-create by e-mail; NULL: never.';

COMMENT ON COLUMN workspace.users.deleted_at IS 'Since when the user is deleted; NULL while live.';

CREATE TRIGGER users_touch BEFORE UPDATE ON workspace.users
    FOR EACH ROW EXECUTE FUNCTION core.touch();

CREATE TRIGGER users_audit_insert AFTER INSERT ON workspace.users
    REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit.record();

CREATE TRIGGER users_audit_update AFTER UPDATE ON workspace.users
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit.record();

CREATE TRIGGER users_audit_delete AFTER DELETE ON workspace.users
    REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit.record();

ALTER TABLE workspace.users ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY users_tenant ON workspace.users TO quarry_app, quarry_readonly
    USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid))
    WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));

CREATE POLICY users_owner ON workspace.users TO quarry_owner USING (true) WITH CHECK (true);

GRANT SELECT, INSERT, UPDATE ON workspace.users TO quarry_app;

INSERT INTO audit.personal_columns (table_name, column_name)
VALUES ('workspace.users', 'email'), ('workspace.users', 'name'), ('workspace.users', 'profile');

-- A key acts as a user of its own tenant or as none. It stays NOT VALID: every new key is checked,
-- while one whose user went with an earlier rollback of this file stays as it is, bound to nobody
-- and seeing nothing. To free it of the dead link would be to give it the whole tenant.
ALTER TABLE core.api_keys
    ADD CONSTRAINT api_keys_user_fkey FOREIGN KEY (tenant_id, user_id)
        REFERENCES workspace.users (tenant_id, id) NOT VALID;

-- ---------------------------------------------------------------------------------------------
-- Projects

-- No fillfactor: updated_at is in two indexes, so no update of a project can be HOT.
CREATE TABLE workspace.projects (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL DEFAULT uuidv7(),
    name text NOT NULL,
    status text NOT NULL DEFAULT 'draft',
    language text NOT NULL,
    current_step integer NOT NULL DEFAULT 1,
    metadata jsonb NOT NULL DEFAULT '{}',
    created_by uuid,
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz,
    CONSTRAINT projects_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT projects_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES core.tenants (id),
    CONSTRAINT projects_created_by_fkey FOREIGN KEY (tenant_id, created_by) REFERENCES workspace.users (tenant_id, id),
    CONSTRAINT projects_name_length CHECK (char_length(name) BETWEEN 1 AND 255),
    CONSTRAINT projects_status_known CHECK (status IN ('draft', 'active', 'in_review', 'completed', 'archived')),
    CONSTRAINT projects_language_length CHECK (char_length(language) BETWEEN 2 AND 10),
    CONSTRAINT projects_language_shape CHECK (language ~ '^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*$'),
    CONSTRAINT projects_current_step_range CHECK (current_step BETWEEN 1 AND 4),
    CONSTRAINT projects_metadata_object CHECK (jsonb_typeof(metadata) = 'object')
);

-- GET /projects, newest change first. There is no trigram index for the filter on names: LIKE is
-- not leakproof, so under row-level security it may not be an index condition. The filter runs
-- along this index, inside of one tenant.
CREATE INDEX projects_changed_idx ON workspace.projects (tenant_id, updated_at DESC, id DESC) WHERE deleted_at IS NULL;

-- The foreign key, and the list of what one user made in its order.
CREATE INDEX projects_created_by_idx ON workspace.projects (tenant_id, created_by, updated_at DESC, id DESC);

COMMENT ON TABLE workspace.projects IS 'Projects: the unit of isolation inside a tenant.';

COMMENT ON COLUMN workspace.projects.tenant_id IS 'The tenant that the row belongs to.';

COMMENT ON COLUMN workspace.projects.id IS 'Made by the database; ordered by time.';

COMMENT ON COLUMN workspace.projects.created_at IS 'When the row was made; never changes.';

COMMENT ON COLUMN workspace.projects.updated_at IS 'When the row last changed; kept by a trigger.';

COMMENT ON COLUMN workspace.projects.name IS '1 to 255 characters.';

COMMENT ON COLUMN workspace.projects.status IS 'draft, active, in_review, completed or archived.';

COMMENT ON COLUMN workspace.projects.language IS 'BCP 47 tag of 2 to 10 characters; never changes, because search vectors depend on it.';

COMMENT ON COLUMN workspace.projects.current_step IS '1 to 4.';

COMMENT ON COLUMN workspace.projects.metadata IS 'Free JSON object.';

COMMENT ON COLUMN workspace.projects.created_by IS 'The user who made it and its first owner; NULL: a key without a user.';

COMMENT ON COLUMN workspace.projects.version IS 'Counts changes; kept by a trigger. The ETag.';

COMMENT ON COLUMN workspace.projects.deleted_at IS 'Since when the project is deleted; NULL while live.';

CREATE FUNCTION workspace.keep_language() RETURNS trigger
    LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM core.refuse_change(TG_TABLE_NAME, 'language');
    RETURN NEW;
END
$$;

COMMENT ON FUNCTION workspace.keep_language() IS 'Refuses another language: projects_language_immutable.';

CREATE TRIGGER projects_keep_language BEFORE UPDATE OF language ON workspace.projects
    FOR EACH ROW WHEN (NEW.language IS DISTINCT FROM OLD.language)
    EXECUTE FUNCTION workspace.keep_language();

CREATE TRIGGER projects_touch BEFORE UPDATE ON workspace.projects
    FOR EACH ROW EXECUTE FUNCTION core.touch_version();

CREATE TRIGGER projects_audit_insert AFTER INSERT ON workspace.projects
    REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit.record();

CREATE TRIGGER projects_audit_update AFTER UPDATE ON workspace.projects
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit.record();

CREATE TRIGGER projects_audit_delete AFTER DELETE ON workspace.projects
    REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit.record();

ALTER TABLE workspace.projects ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY projects_tenant ON workspace.projects TO quarry_app, quarry_readonly
    USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid))
    WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));

CREATE POLICY projects_owner ON workspace.projects TO quarry_owner USING (true) WITH CHECK (true);

GRANT SELECT, INSERT, UPDATE, DELETE ON workspace.projects TO quarry_app;

-- ---------------------------------------------------------------------------------------------
-- Members

CREATE TABLE workspace.project_members (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL DEFAULT uuidv7(),
    project_id uuid NOT NULL,
    user_id uuid NOT NULL,
    role text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT project_members_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT project_members_project_user_key UNIQUE (tenant_id, project_id, user_id),
    CONSTRAINT project_members_project_fkey FOREIGN KEY (tenant_id, project_id)
        REFERENCES workspace.projects (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT project_members_user_fkey FOREIGN KEY (tenant_id, user_id) REFERENCES workspace.users (tenant_id, id),
    CONSTRAINT project_members_role_known CHECK (role IN ('owner', 'editor', 'viewer'))
);

-- The foreign key, and which projects a user sees.
CREATE INDEX project_members_user_idx ON workspace.project_members (tenant_id, user_id, project_id);

COMMENT ON TABLE workspace.project_members IS 'Who may do what in a project.';

COMMENT ON COLUMN workspace.project_members.tenant_id IS 'The tenant that the row belongs to.';

COMMENT ON COLUMN workspace.project_members.id IS 'Made by the database; ordered by time.';

COMMENT ON COLUMN workspace.project_members.created_at IS 'When the row was made; never changes.';

COMMENT ON COLUMN workspace.project_members.updated_at IS 'When the row last changed; kept by a trigger.';

COMMENT ON COLUMN workspace.project_members.project_id IS 'The project.';

COMMENT ON COLUMN workspace.project_members.user_id IS 'The member.';

COMMENT ON COLUMN workspace.project_members.role IS 'owner, editor or viewer. A project that has an owner always keeps one.';

-- The creator is owner: made here, so that no way of creating a project can forget it.
-- ON CONFLICT: the statement that made the project may have added its members itself.
CREATE FUNCTION workspace.add_first_owner() RETURNS trigger
    LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO workspace.project_members (tenant_id, project_id, user_id, role)
    SELECT n.tenant_id, n.id, n.created_by, 'owner'
      FROM new_rows AS n
     WHERE n.created_by IS NOT NULL
        ON CONFLICT (tenant_id, project_id, user_id) DO NOTHING;
    RETURN NULL;
END
$$;

COMMENT ON FUNCTION workspace.add_first_owner() IS 'AFTER INSERT on projects: makes the creator an owner.';

CREATE TRIGGER projects_first_owner AFTER INSERT ON workspace.projects
    REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION workspace.add_first_owner();

-- Two owners who leave at the same moment would each still see the other. So both take the lock on
-- the project first: the second one waits, and then counts with a snapshot that shows the first
-- one gone. No lock to take means that the project itself is being deleted.
CREATE FUNCTION workspace.keep_an_owner() RETURNS trigger
    LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM 1 FROM workspace.projects AS p
      WHERE p.tenant_id = OLD.tenant_id AND p.id = OLD.project_id
        FOR NO KEY UPDATE;
    IF FOUND AND NOT EXISTS (
        SELECT FROM workspace.project_members AS m
         WHERE m.tenant_id = OLD.tenant_id AND m.project_id = OLD.project_id AND m.role = 'owner')
    THEN
        RAISE EXCEPTION 'a project always keeps one owner'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'project_members_keep_owner',
                  TABLE = 'project_members', COLUMN = 'role';
    END IF;
    RETURN NULL;
END
$$;

COMMENT ON FUNCTION workspace.keep_an_owner() IS 'Refuses to take a project''s last owner away: project_members_keep_owner.';

-- Deferrable: who hands a project over in several statements may SET CONSTRAINTS … DEFERRED.
CREATE CONSTRAINT TRIGGER project_members_keep_owner
    AFTER UPDATE OF role OR DELETE ON workspace.project_members
    DEFERRABLE INITIALLY IMMEDIATE
    FOR EACH ROW WHEN (OLD.role = 'owner')
    EXECUTE FUNCTION workspace.keep_an_owner();

CREATE FUNCTION workspace.keep_membership() RETURNS trigger
    LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM core.refuse_change(TG_TABLE_NAME, CASE WHEN NEW.user_id <> OLD.user_id THEN 'user_id' ELSE 'project_id' END);
    RETURN NEW;
END
$$;

COMMENT ON FUNCTION workspace.keep_membership() IS 'Refuses to turn one membership into another: project_members_project_id_immutable, …_user_id_immutable.';

CREATE TRIGGER project_members_keep_ends BEFORE UPDATE OF project_id, user_id ON workspace.project_members
    FOR EACH ROW WHEN (NEW.project_id <> OLD.project_id OR NEW.user_id <> OLD.user_id)
    EXECUTE FUNCTION workspace.keep_membership();

CREATE TRIGGER project_members_touch BEFORE UPDATE ON workspace.project_members
    FOR EACH ROW EXECUTE FUNCTION core.touch();

CREATE TRIGGER project_members_audit_insert AFTER INSERT ON workspace.project_members
    REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit.record();

CREATE TRIGGER project_members_audit_update AFTER UPDATE ON workspace.project_members
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit.record();

CREATE TRIGGER project_members_audit_delete AFTER DELETE ON workspace.project_members
    REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit.record();

ALTER TABLE workspace.project_members ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY project_members_tenant ON workspace.project_members TO quarry_app, quarry_readonly
    USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid))
    WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));

CREATE POLICY project_members_owner ON workspace.project_members TO quarry_owner USING (true) WITH CHECK (true);

GRANT SELECT, INSERT, UPDATE, DELETE ON workspace.project_members TO quarry_app;
