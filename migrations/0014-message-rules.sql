-- depends: 0013-messages
-- What else holds for messages: what is written stays, changes are audited; and how
-- they are searched.

SET LOCAL lock_timeout = '3s';

SET LOCAL statement_timeout = '60s';

SET LOCAL ROLE quarry_owner;

-- By column list, so that choosing a variant does not fetch the content to find it unchanged.
CREATE FUNCTION assistant.keep_message() RETURNS trigger
    LANGUAGE plpgsql
AS $$
DECLARE
    changed text;
BEGIN
    changed := CASE
        WHEN NEW.id <> OLD.id THEN 'id'
        WHEN NEW.created_at <> OLD.created_at THEN 'created_at'
        WHEN NEW.conversation_id <> OLD.conversation_id THEN 'conversation_id'
        WHEN NEW.user_id <> OLD.user_id THEN 'user_id'
        WHEN NEW.seq <> OLD.seq THEN 'seq'
        WHEN NEW.variant <> OLD.variant THEN 'variant'
        WHEN NEW.edited_from IS DISTINCT FROM OLD.edited_from THEN 'edited_from'
        WHEN NEW.role <> OLD.role THEN 'role'
        WHEN NEW.content <> OLD.content THEN 'content'
        WHEN NEW.model IS DISTINCT FROM OLD.model THEN 'model'
        WHEN NEW.tool_calls IS DISTINCT FROM OLD.tool_calls THEN 'tool_calls'
        WHEN NEW.tool_results IS DISTINCT FROM OLD.tool_results THEN 'tool_results'
        WHEN NEW.images IS DISTINCT FROM OLD.images THEN 'images'
        WHEN NEW.files <> OLD.files THEN 'files'
    END;
    IF changed IS NOT NULL THEN
        PERFORM core.refuse_change('messages', changed);
    END IF;
    RETURN NEW;
END
$$;

COMMENT ON FUNCTION assistant.keep_message() IS 'Refuses to change what is written: messages_<column>_immutable.';

CREATE TRIGGER messages_keep
    BEFORE UPDATE OF id, created_at, conversation_id, user_id, seq, variant, edited_from, role, content, model, tool_calls, tool_results, images, files
    ON assistant.messages
    FOR EACH ROW EXECUTE FUNCTION assistant.keep_message();

CREATE TRIGGER messages_touch BEFORE UPDATE ON assistant.messages
    FOR EACH ROW EXECUTE FUNCTION core.touch();

-- The trail tells who wrote when, and nothing of what: that is bulky, and personal.
CREATE TRIGGER messages_audit_insert AFTER INSERT ON assistant.messages
    REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit.record('content', 'tool_calls', 'tool_results', 'images', 'metadata', 'search');

CREATE TRIGGER messages_audit_update AFTER UPDATE ON assistant.messages
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit.record('content', 'tool_calls', 'tool_results', 'images', 'metadata', 'search');

CREATE TRIGGER messages_audit_delete AFTER DELETE ON assistant.messages
    REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit.record('content', 'tool_calls', 'tool_results', 'images', 'metadata', 'search');

-- ---------------------------------------------------------------------------------------------
-- Search

-- Runs as the owner, whose policy is "true", so that @@ may be an index condition. The tenant comes
-- from the transaction's setting and from nowhere else; without one there is no row. It answers ids
-- and ranks alone: who asks must join the table again, and then row-level security holds once more.
CREATE FUNCTION assistant.find_messages(
    of_user uuid, query tsquery, after_rank float8, after_id uuid, most integer)
    RETURNS TABLE (id uuid, rank float8)
    LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 50
    SET search_path = pg_catalog, extensions, pg_temp
    SET plan_cache_mode = force_custom_plan
AS $$
DECLARE
    of_tenant uuid := nullif(current_setting('app.tenant_id', true), '')::uuid;
BEGIN
    RETURN QUERY
    SELECT f.id, f.rank
      FROM (SELECT m.id, ts_rank_cd(m.search, query, 1)::float8 AS rank
              FROM assistant.messages AS m
             WHERE m.tenant_id = of_tenant
               AND m.user_id = of_user
               AND m.is_active
               AND m.search @@ query
               AND EXISTS (SELECT FROM assistant.conversations AS c
                            WHERE c.tenant_id = of_tenant AND c.id = m.conversation_id AND c.deleted_at IS NULL)) AS f
     WHERE (f.rank, f.id) < (coalesce(after_rank, 'infinity'),
                             coalesce(after_id, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
     ORDER BY f.rank DESC, f.id DESC
     LIMIT most;
END
$$;

COMMENT ON FUNCTION assistant.find_messages(uuid, tsquery, float8, uuid, integer) IS 'Ids and ranks of a user''s messages in live conversations of this tenant that match, best first.';

GRANT EXECUTE ON FUNCTION assistant.find_messages(uuid, tsquery, float8, uuid, integer) TO quarry_app, quarry_readonly;
