-- depends: 0012-conversations
-- Messages: numbered without gaps, in variants of which exactly one is active.
-- squawk-ignore-file ban-create-domain-with-constraint

SET LOCAL lock_timeout = '3s';

SET LOCAL statement_timeout = '60s';

SET LOCAL ROLE quarry_owner;

-- Rules of single columns are domains, as those of conversations.
CREATE DOMAIN assistant.message_seq AS integer
    CONSTRAINT messages_seq_positive CHECK (VALUE >= 1);

COMMENT ON DOMAIN assistant.message_seq IS '1 or more.';

CREATE DOMAIN assistant.message_variant AS integer
    CONSTRAINT messages_variant_positive CHECK (VALUE >= 1);

COMMENT ON DOMAIN assistant.message_variant IS '1 or more.';

CREATE DOMAIN assistant.message_role AS text
    CONSTRAINT messages_role_known CHECK (VALUE IN ('system', 'user', 'assistant', 'tool'));

COMMENT ON DOMAIN assistant.message_role IS 'system, user, assistant or tool.';

CREATE DOMAIN assistant.message_content AS text
    CONSTRAINT messages_content_length CHECK (octet_length(VALUE) <= 1048576);

COMMENT ON DOMAIN assistant.message_content IS 'At most 1 MiB in UTF-8.';

CREATE DOMAIN assistant.message_model AS text
    CONSTRAINT messages_model_length CHECK (char_length(VALUE) BETWEEN 1 AND 255);

COMMENT ON DOMAIN assistant.message_model IS '1 to 255 characters.';

CREATE DOMAIN assistant.message_tool_calls AS jsonb
    CONSTRAINT messages_tool_calls_array CHECK (jsonb_typeof(VALUE) = 'array');

COMMENT ON DOMAIN assistant.message_tool_calls IS 'A JSON array.';

CREATE DOMAIN assistant.message_tool_results AS jsonb
    CONSTRAINT messages_tool_results_array CHECK (jsonb_typeof(VALUE) = 'array');

COMMENT ON DOMAIN assistant.message_tool_results IS 'A JSON array.';

CREATE DOMAIN assistant.message_images AS jsonb
    CONSTRAINT messages_images_array CHECK (jsonb_typeof(VALUE) = 'array');

COMMENT ON DOMAIN assistant.message_images IS 'A JSON array.';

CREATE DOMAIN assistant.message_files AS uuid[]
    CONSTRAINT messages_files_size CHECK (cardinality(VALUE) <= 100 AND array_position(VALUE, NULL) IS NULL);

COMMENT ON DOMAIN assistant.message_files IS 'At most 100 ids.';

CREATE DOMAIN assistant.message_metadata AS jsonb
    CONSTRAINT messages_metadata_object CHECK (jsonb_typeof(VALUE) = 'object');

COMMENT ON DOMAIN assistant.message_metadata IS 'A JSON object.';

CREATE DOMAIN assistant.message_token_count AS integer
    CONSTRAINT messages_token_count_positive CHECK (VALUE >= 0);

COMMENT ON DOMAIN assistant.message_token_count IS '0 or more.';

-- user_id repeats the conversation's, so that a search in all of a user's messages has an index
-- that begins with him. What is searched is text in any language: words as they are, without
-- accents; normalized first, because unaccent knows the composed forms only.
CREATE TABLE assistant.messages (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL DEFAULT uuidv7(),
    conversation_id uuid NOT NULL,
    user_id uuid NOT NULL,
    seq assistant.message_seq NOT NULL,
    variant assistant.message_variant NOT NULL DEFAULT 1,
    is_active boolean NOT NULL DEFAULT true,
    edited_from integer,
    role assistant.message_role NOT NULL,
    content assistant.message_content NOT NULL,
    model assistant.message_model,
    tool_calls assistant.message_tool_calls,
    tool_results assistant.message_tool_results,
    images assistant.message_images,
    files assistant.message_files NOT NULL DEFAULT '{}',
    metadata assistant.message_metadata NOT NULL DEFAULT '{}',
    token_count assistant.message_token_count,
    search tsvector NOT NULL GENERATED ALWAYS AS (
        workspace.search_vector('workspace.simple', normalize(content))) STORED,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT messages_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT messages_seq_key UNIQUE (tenant_id, conversation_id, seq, variant),
    CONSTRAINT messages_conversation_fkey FOREIGN KEY (tenant_id, conversation_id)
        REFERENCES assistant.conversations (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT messages_edited_from_earlier CHECK (edited_from >= 1 AND edited_from < variant),
    CONSTRAINT messages_content_given CHECK (
        content <> '' OR CASE jsonb_typeof(tool_calls) WHEN 'array' THEN jsonb_array_length(tool_calls) > 0 ELSE false END)
) PARTITION BY HASH (tenant_id);

-- At most one active variant; and the order in which messages are read.
CREATE UNIQUE INDEX messages_active_key ON assistant.messages (tenant_id, conversation_id, seq) WHERE is_active;

-- Used by assistant.find_messages() alone: @@ is not leakproof, so under row-level security it is
-- never an index condition for the service itself.
CREATE INDEX messages_search_idx ON assistant.messages USING gin (tenant_id, user_id, search) WHERE is_active;

COMMENT ON TABLE assistant.messages IS 'Messages. What is written stays as it is; an edit is another variant of the same seq. In 8 partitions by tenant.';

COMMENT ON COLUMN assistant.messages.tenant_id IS 'The tenant that the row belongs to.';

COMMENT ON COLUMN assistant.messages.id IS 'Made by the database; ordered by time.';

COMMENT ON COLUMN assistant.messages.conversation_id IS 'The conversation.';

COMMENT ON COLUMN assistant.messages.user_id IS 'The conversation''s user.';

COMMENT ON COLUMN assistant.messages.seq IS 'Place in the conversation: from 1, without gaps, handed out under the lock of the conversation''s row.';

COMMENT ON COLUMN assistant.messages.variant IS 'From 1: the message as first written, then edits and regenerations of it.';

COMMENT ON COLUMN assistant.messages.is_active IS 'The variant that is shown; exactly one for each seq.';

COMMENT ON COLUMN assistant.messages.edited_from IS 'The variant that was active when this one was made; NULL: written first.';

COMMENT ON COLUMN assistant.messages.role IS 'system, user, assistant or tool.';

COMMENT ON COLUMN assistant.messages.content IS 'At most 1 MiB in UTF-8; empty only beside tool_calls.';

COMMENT ON COLUMN assistant.messages.model IS 'The model that wrote it; NULL: none, or not told.';

COMMENT ON COLUMN assistant.messages.tool_calls IS 'JSON array of what the model asks tools to do; NULL: nothing.';

COMMENT ON COLUMN assistant.messages.tool_results IS 'JSON array of what tools answered; NULL: nothing.';

COMMENT ON COLUMN assistant.messages.images IS 'JSON array of references to images; NULL: none.';

COMMENT ON COLUMN assistant.messages.files IS 'Ids of the user''s files that belong to it.';

COMMENT ON COLUMN assistant.messages.metadata IS 'Free JSON object.';

COMMENT ON COLUMN assistant.messages.token_count IS 'Length for a model; NULL: not counted, then a quarter of the bytes is assumed.';

COMMENT ON COLUMN assistant.messages.search IS 'Search vector of the content; a generated column.';

COMMENT ON COLUMN assistant.messages.created_at IS 'When it was written.';

COMMENT ON COLUMN assistant.messages.updated_at IS 'When the row last changed; kept by a trigger.';

ALTER TABLE assistant.messages ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY messages_tenant ON assistant.messages TO quarry_app, quarry_readonly
    USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid))
    WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));

CREATE POLICY messages_owner ON assistant.messages TO quarry_owner USING (true) WITH CHECK (true);

GRANT SELECT, INSERT, UPDATE, DELETE ON assistant.messages TO quarry_app;

-- Row-level security of the parent does not hold for a query that names a partition, so each
-- partition gets its own, and nobody but the owner gets a privilege on it.
DO $$
DECLARE
    partition_name text;
BEGIN
    FOR part IN 0 .. 7 LOOP
        partition_name := 'messages_' || part;
        EXECUTE format('CREATE TABLE assistant.%I (LIKE assistant.messages INCLUDING ALL EXCLUDING INDEXES)', partition_name);
        EXECUTE format('ALTER TABLE assistant.messages ATTACH PARTITION assistant.%I FOR VALUES WITH (MODULUS 8, REMAINDER %s)',
                       partition_name, part);
        EXECUTE format('COMMENT ON TABLE assistant.%I IS %L', partition_name, 'Messages of about one tenant in 8.');
        EXECUTE format('ALTER TABLE assistant.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', partition_name);
        EXECUTE format('CREATE POLICY %I ON assistant.%I TO quarry_owner USING (true) WITH CHECK (true)',
                       partition_name || '_owner', partition_name);
        EXECUTE format('REVOKE ALL ON assistant.%I FROM quarry_readonly', partition_name);
    END LOOP;
END
$$;

-- ---------------------------------------------------------------------------------------------
-- Numbers without gaps

-- With the unique key these hold for every conversation, whoever writes: its messages are numbered
-- 1 to message_count, and the variants of each are numbered from 1. The check of an insert looks
-- at the new rows and the one before them only, so it costs the same in a long conversation.
CREATE FUNCTION assistant.check_new_messages() RETURNS trigger
    LANGUAGE plpgsql
AS $$
BEGIN
    IF EXISTS (
        SELECT FROM (SELECT n.tenant_id, n.conversation_id, min(n.seq) AS first, max(n.seq) AS last, count(*) AS how_many,
                            bool_and(n.user_id = c.user_id) AS of_its_user, min(c.message_count) AS message_count
                       FROM new_rows AS n
                       JOIN assistant.conversations AS c ON c.tenant_id = n.tenant_id AND c.id = n.conversation_id
                      WHERE n.variant = 1
                      GROUP BY n.tenant_id, n.conversation_id) AS added
         WHERE added.last <> added.message_count
            OR added.how_many <> added.last - added.first + 1
            OR NOT added.of_its_user
            OR added.first > 1 AND NOT EXISTS (
                   SELECT FROM assistant.messages AS m
                    WHERE m.tenant_id = added.tenant_id AND m.conversation_id = added.conversation_id
                      AND m.seq = added.first - 1 AND m.variant = 1))
       OR EXISTS (
        SELECT FROM new_rows AS n
         WHERE n.variant > 1
           AND NOT EXISTS (SELECT FROM assistant.messages AS m
                            WHERE m.tenant_id = n.tenant_id AND m.conversation_id = n.conversation_id
                              AND m.seq = n.seq AND m.variant = n.variant - 1 AND m.user_id = n.user_id))
    THEN
        RAISE EXCEPTION 'messages are numbered without gaps, by conversations.message_count'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'messages_seq_gapless',
                  TABLE = 'messages', COLUMN = 'seq';
    END IF;
    IF EXISTS (SELECT FROM new_rows AS n
                WHERE NOT n.is_active
                  AND NOT EXISTS (SELECT FROM assistant.messages AS m
                                   WHERE m.tenant_id = n.tenant_id AND m.conversation_id = n.conversation_id
                                     AND m.seq = n.seq AND m.is_active))
    THEN
        PERFORM assistant.refuse_no_active();
    END IF;
    RETURN NULL;
END
$$;

COMMENT ON FUNCTION assistant.check_new_messages() IS 'AFTER INSERT on messages: messages_seq_gapless, messages_active_one.';

CREATE FUNCTION assistant.refuse_no_active() RETURNS void
    LANGUAGE plpgsql
AS $$
BEGIN
    RAISE EXCEPTION 'each message has exactly one active variant'
        USING ERRCODE = 'check_violation', CONSTRAINT = 'messages_active_one',
              TABLE = 'messages', COLUMN = 'is_active';
END
$$;

COMMENT ON FUNCTION assistant.refuse_no_active() IS 'Raises 23514 with the constraint messages_active_one.';

GRANT EXECUTE ON FUNCTION assistant.refuse_no_active() TO quarry_app;

CREATE FUNCTION assistant.check_changed_messages() RETURNS trigger
    LANGUAGE plpgsql
AS $$
BEGIN
    IF EXISTS (SELECT FROM new_rows AS n
                WHERE NOT n.is_active
                  AND NOT EXISTS (SELECT FROM assistant.messages AS m
                                   WHERE m.tenant_id = n.tenant_id AND m.conversation_id = n.conversation_id
                                     AND m.seq = n.seq AND m.is_active))
    THEN
        PERFORM assistant.refuse_no_active();
    END IF;
    -- a new version of the conversation: whoever has the old one has not seen this change
    UPDATE assistant.conversations AS c
       SET last_message_at = c.last_message_at
     WHERE (c.tenant_id, c.id) IN (SELECT n.tenant_id, n.conversation_id FROM new_rows AS n);
    RETURN NULL;
END
$$;

COMMENT ON FUNCTION assistant.check_changed_messages() IS 'AFTER UPDATE on messages: messages_active_one; counts the conversation''s version up.';

-- Messages go as a tail of their conversation, all variants together, or with all of it.
CREATE FUNCTION assistant.check_gone_messages() RETURNS trigger
    LANGUAGE plpgsql
AS $$
BEGIN
    IF EXISTS (
        SELECT FROM (SELECT o.tenant_id, o.conversation_id, min(o.seq) AS first
                       FROM old_rows AS o
                      GROUP BY o.tenant_id, o.conversation_id) AS gone
          JOIN assistant.conversations AS c ON c.tenant_id = gone.tenant_id AND c.id = gone.conversation_id
         WHERE c.message_count >= gone.first
            OR EXISTS (SELECT FROM assistant.messages AS m
                        WHERE m.tenant_id = gone.tenant_id AND m.conversation_id = gone.conversation_id
                          AND m.seq >= gone.first))
    THEN
        RAISE EXCEPTION 'messages are taken away from the end, with conversations.message_count'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'messages_seq_gapless',
                  TABLE = 'messages', COLUMN = 'seq';
    END IF;
    RETURN NULL;
END
$$;

COMMENT ON FUNCTION assistant.check_gone_messages() IS 'AFTER DELETE on messages: messages_seq_gapless.';

CREATE TRIGGER messages_check_insert AFTER INSERT ON assistant.messages
    REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION assistant.check_new_messages();

CREATE TRIGGER messages_check_update AFTER UPDATE ON assistant.messages
    REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION assistant.check_changed_messages();

CREATE TRIGGER messages_check_delete AFTER DELETE ON assistant.messages
    REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION assistant.check_gone_messages();

-- At the end of the statement, so that one statement may count and write.
CREATE FUNCTION assistant.check_message_count() RETURNS trigger
    LANGUAGE plpgsql
AS $$
BEGIN
    IF NEW.message_count <> coalesce((SELECT max(m.seq)
                                        FROM assistant.messages AS m
                                       WHERE m.tenant_id = NEW.tenant_id AND m.conversation_id = NEW.id), 0)
    THEN
        RAISE EXCEPTION 'message_count is the number of messages'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'conversations_message_count_true',
                  TABLE = 'conversations', COLUMN = 'message_count';
    END IF;
    RETURN NULL;
END
$$;

COMMENT ON FUNCTION assistant.check_message_count() IS 'AFTER a change of conversations.message_count: conversations_message_count_true.';

CREATE TRIGGER conversations_message_count_new AFTER INSERT ON assistant.conversations
    FOR EACH ROW WHEN (NEW.message_count <> 0)
    EXECUTE FUNCTION assistant.check_message_count();

CREATE TRIGGER conversations_message_count_changed AFTER UPDATE OF message_count ON assistant.conversations
    FOR EACH ROW WHEN (NEW.message_count <> OLD.message_count)
    EXECUTE FUNCTION assistant.check_message_count();
