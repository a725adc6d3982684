-- depends: 0011-exports
-- The assistant: conversations of a tenant's users. Messages, memories and files follow.
-- squawk-ignore-file ban-create-domain-with-constraint

SET LOCAL lock_timeout = '3s';

SET LOCAL statement_timeout = '60s';

SET LOCAL ROLE quarry_owner;

CREATE SCHEMA assistant;

COMMENT ON SCHEMA assistant IS 'Chat history, long-term memory and files of users.';

GRANT USAGE ON SCHEMA assistant TO quarry_app, quarry_readonly, quarry_backup;

-- Reports may read every table that will ever be made here, under the same policies.
ALTER DEFAULT PRIVILEGES FOR ROLE quarry_owner IN SCHEMA assistant GRANT SELECT ON TABLES TO quarry_readonly;

-- Trusted, as those of 0001. It lets a GIN index lead with the tenant and the user.
CREATE EXTENSION IF NOT EXISTS btree_gin WITH SCHEMA extensions;

CREATE FUNCTION assistant.tags_fit(tags text[]) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT cardinality(tags) <= 32
       AND NOT EXISTS (SELECT FROM unnest(tags) AS t (tag)
                        WHERE t.tag IS NULL OR char_length(t.tag) NOT BETWEEN 1 AND 64);
END;

COMMENT ON FUNCTION assistant.tags_fit(text[]) IS 'At most 32 tags of 1 to 64 characters.';

GRANT EXECUTE ON FUNCTION assistant.tags_fit(text[]) TO quarry_app;

-- ---------------------------------------------------------------------------------------------
-- Conversations

-- Rules of single columns are domains, as those of projects: each message counts up its
-- conversation's row, and the rules of a domain are read once per session.
CREATE DOMAIN assistant.conversation_title AS text
    CONSTRAINT conversations_title_length CHECK (char_length(VALUE) BETWEEN 1 AND 255);

COMMENT ON DOMAIN assistant.conversation_title IS '1 to 255 characters.';

CREATE DOMAIN assistant.conversation_template AS text
    CONSTRAINT conversations_template_length CHECK (char_length(VALUE) BETWEEN 1 AND 100);

COMMENT ON DOMAIN assistant.conversation_template IS '1 to 100 characters.';

CREATE DOMAIN assistant.conversation_tags AS text[]
    CONSTRAINT conversations_tags_fit CHECK (assistant.tags_fit(VALUE));

COMMENT ON DOMAIN assistant.conversation_tags IS 'At most 32 of 1 to 64 characters.';

CREATE DOMAIN assistant.conversation_metadata AS jsonb
    CONSTRAINT conversations_metadata_object CHECK (jsonb_typeof(VALUE) = 'object');

COMMENT ON DOMAIN assistant.conversation_metadata IS 'A JSON object.';

CREATE DOMAIN assistant.conversation_message_count AS integer
    CONSTRAINT conversations_message_count_positive CHECK (VALUE >= 0);

COMMENT ON DOMAIN assistant.conversation_message_count IS '0 or more.';

CREATE DOMAIN assistant.conversation_seq AS integer
    CONSTRAINT conversations_branched_at_seq_positive CHECK (VALUE >= 1);

COMMENT ON DOMAIN assistant.conversation_seq IS '1 or more.';

CREATE TABLE assistant.conversations (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL DEFAULT uuidv7(),
    user_id uuid NOT NULL,
    title assistant.conversation_title NOT NULL DEFAULT 'New conversation',
    template assistant.conversation_template,
    tags assistant.conversation_tags NOT NULL DEFAULT '{}',
    metadata assistant.conversation_metadata NOT NULL DEFAULT '{}',
    is_pinned boolean NOT NULL DEFAULT false,
    is_archived boolean NOT NULL DEFAULT false,
    parent_conversation_id uuid,
    branched_at_seq assistant.conversation_seq,
    message_count assistant.conversation_message_count NOT NULL DEFAULT 0,
    last_message_at timestamptz,
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz,
    active_at timestamptz NOT NULL GENERATED ALWAYS AS (coalesce(last_message_at, created_at)) STORED,
    CONSTRAINT conversations_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT conversations_user_fkey FOREIGN KEY (tenant_id, user_id) REFERENCES workspace.users (tenant_id, id),
    CONSTRAINT conversations_parent_fkey FOREIGN KEY (tenant_id, parent_conversation_id)
        REFERENCES assistant.conversations (tenant_id, id) ON DELETE SET NULL (parent_conversation_id),
    CONSTRAINT conversations_branched_at_seq_known CHECK (parent_conversation_id IS NULL OR branched_at_seq IS NOT NULL)
);

-- GET /conversations: pinned first, then last activity; and the foreign key.
CREATE INDEX conversations_active_idx ON assistant.conversations
    (tenant_id, user_id, is_pinned DESC, active_at DESC, id DESC);

CREATE INDEX conversations_parent_idx ON assistant.conversations (tenant_id, parent_conversation_id)
    WHERE parent_conversation_id IS NOT NULL;

COMMENT ON TABLE assistant.conversations IS 'Conversations of users with an assistant.';

COMMENT ON COLUMN assistant.conversations.tenant_id IS 'The tenant that the row belongs to.';

COMMENT ON COLUMN assistant.conversations.id IS 'Made by the database; ordered by time.';

COMMENT ON COLUMN assistant.conversations.user_id IS 'Whose conversation it is; never changes.';

COMMENT ON COLUMN assistant.conversations.title IS '1 to 255 characters.';

COMMENT ON COLUMN assistant.conversations.template IS 'Name of the template that it began with, at most 100 characters; NULL: none.';

COMMENT ON COLUMN assistant.conversations.tags IS 'At most 32 of 1 to 64 characters.';

COMMENT ON COLUMN assistant.conversations.metadata IS 'Free JSON object.';

COMMENT ON COLUMN assistant.conversations.is_pinned IS 'Listed first.';

COMMENT ON COLUMN assistant.conversations.is_archived IS 'Put away by its user.';

COMMENT ON COLUMN assistant.conversations.parent_conversation_id IS 'The conversation that this one branched from; NULL: none, or purged since.';

COMMENT ON COLUMN assistant.conversations.branched_at_seq IS 'Up to which message it took over the parent''s; NULL: no branch.';

COMMENT ON COLUMN assistant.conversations.message_count IS 'How many messages it has, variants not counted: the highest seq. The row''s lock hands the next ones out.';

COMMENT ON COLUMN assistant.conversations.last_message_at IS 'When a message was last written; NULL: never.';

COMMENT ON COLUMN assistant.conversations.version IS 'Counts changes, of its messages too; kept by a trigger. The ETag.';

COMMENT ON COLUMN assistant.conversations.created_at IS 'When the row was made; never changes.';

COMMENT ON COLUMN assistant.conversations.updated_at IS 'When the row last changed; kept by a trigger.';

COMMENT ON COLUMN assistant.conversations.deleted_at IS 'Since when the conversation is deleted; NULL while live.';

COMMENT ON COLUMN assistant.conversations.active_at IS 'Last activity, by which lists are ordered: the last message, else the beginning.';

CREATE FUNCTION assistant.keep_conversation() RETURNS trigger
    LANGUAGE plpgsql
AS $$
BEGIN
    IF NEW.user_id <> OLD.user_id THEN
        PERFORM core.refuse_change(TG_TABLE_NAME, 'user_id');
    ELSIF NEW.parent_conversation_id IS DISTINCT FROM OLD.parent_conversation_id
          AND NEW.parent_conversation_id IS NOT NULL THEN
        PERFORM core.refuse_change(TG_TABLE_NAME, 'parent_conversation_id');
    ELSIF NEW.branched_at_seq IS DISTINCT FROM OLD.branched_at_seq THEN
        PERFORM core.refuse_change(TG_TABLE_NAME, 'branched_at_seq');
    END IF;
    RETURN NEW;
END
$$;

COMMENT ON FUNCTION assistant.keep_conversation() IS 'Refuses another user or parent: conversations_<column>_immutable.';

CREATE TRIGGER conversations_keep
    BEFORE UPDATE OF user_id, parent_conversation_id, branched_at_seq ON assistant.conversations
    FOR EACH ROW EXECUTE FUNCTION assistant.keep_conversation();

CREATE TRIGGER conversations_touch BEFORE UPDATE ON assistant.conversations
    FOR EACH ROW EXECUTE FUNCTION core.touch_version();

-- What follows from a message alone is left out: that message has an event of its own, and an
-- update of nothing else leaves none here.
CREATE TRIGGER conversations_audit_insert AFTER INSERT ON assistant.conversations
    REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit.record('message_count', 'last_message_at', 'active_at', 'updated_at', 'version');

CREATE TRIGGER conversations_audit_update AFTER UPDATE ON assistant.conversations
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit.record('message_count', 'last_message_at', 'active_at', 'updated_at', 'version');

CREATE TRIGGER conversations_audit_delete AFTER DELETE ON assistant.conversations
    REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit.record('message_count', 'last_message_at', 'active_at', 'updated_at', 'version');

ALTER TABLE assistant.conversations ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY conversations_tenant ON assistant.conversations TO quarry_app, quarry_readonly
    USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid))
    WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));

CREATE POLICY conversations_owner ON assistant.conversations TO quarry_owner USING (true) WITH CHECK (true);

GRANT SELECT, INSERT, UPDATE, DELETE ON assistant.conversations TO quarry_app;

INSERT INTO audit.personal_columns (table_name, column_name)
VALUES ('assistant.conversations', 'title'), ('assistant.conversations', 'tags'),
       ('assistant.conversations', 'metadata');
