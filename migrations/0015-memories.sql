-- depends: 0014-message-rules
-- Memories: what an assistant keeps about a user, found by words and by misspelt words.

SET LOCAL lock_timeout = '3s';

SET LOCAL statement_timeout = '60s';

SET LOCAL ROLE quarry_owner;

CREATE TABLE assistant.memories (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL DEFAULT uuidv7(),
    user_id uuid NOT NULL,
    conversation_id uuid,
    question text NOT NULL,
    answer text NOT NULL,
    importance smallint NOT NULL DEFAULT 5,
    tags text[] NOT NULL DEFAULT '{}',
    metadata jsonb NOT NULL DEFAULT '{}',
    expires_at timestamptz,
    last_used_at timestamptz,
    use_count integer NOT NULL DEFAULT 0,
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    plain text NOT NULL GENERATED ALWAYS AS (
        core.unaccent(lower(normalize(question || E'\n' || answer)))) STORED,
    search tsvector NOT NULL GENERATED ALWAYS AS (
        setweight(to_tsvector('workspace.simple', normalize(question)), 'A')
        || setweight(to_tsvector('workspace.simple', normalize(answer)), 'B')) STORED,
    CONSTRAINT memories_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT memories_user_fkey FOREIGN KEY (tenant_id, user_id) REFERENCES workspace.users (tenant_id, id),
    CONSTRAINT memories_conversation_fkey FOREIGN KEY (tenant_id, conversation_id)
        REFERENCES assistant.conversations (tenant_id, id) ON DELETE SET NULL (conversation_id),
    CONSTRAINT memories_question_length CHECK (octet_length(question) BETWEEN 1 AND 32768),
    CONSTRAINT memories_answer_length CHECK (octet_length(answer) BETWEEN 1 AND 32768),
    CONSTRAINT memories_importance_range CHECK (importance BETWEEN 1 AND 10),
    CONSTRAINT memories_tags_fit CHECK (assistant.tags_fit(tags)),
    CONSTRAINT memories_metadata_object CHECK (jsonb_typeof(metadata) = 'object'),
    CONSTRAINT memories_use_count_positive CHECK (use_count >= 0)
);

-- GET /memories without a search: importance, then newest; and the foreign key.
CREATE INDEX memories_important_idx ON assistant.memories
    (tenant_id, user_id, importance DESC, created_at DESC, id DESC);

CREATE INDEX memories_conversation_idx ON assistant.memories (tenant_id, conversation_id)
    WHERE conversation_id IS NOT NULL;

-- What has expired, for the sweeper; and since when a search has looked as it does.
CREATE INDEX memories_expires_at_idx ON assistant.memories (tenant_id, user_id, expires_at)
    WHERE expires_at IS NOT NULL;

-- Used by assistant.find_memories() and match_memories() alone. One index for words and for
-- trigrams: the tenant and the user are in it once.
CREATE INDEX memories_search_idx ON assistant.memories
    USING gin (tenant_id, user_id, search, plain extensions.gin_trgm_ops);

COMMENT ON TABLE assistant.memories IS 'What an assistant keeps about a user, as a question and its answer.';

COMMENT ON COLUMN assistant.memories.tenant_id IS 'The tenant that the row belongs to.';

COMMENT ON COLUMN assistant.memories.id IS 'Made by the database; ordered by time.';

COMMENT ON COLUMN assistant.memories.user_id IS 'About whom.';

COMMENT ON COLUMN assistant.memories.conversation_id IS 'Where it came from; NULL: elsewhere, or from a conversation that was purged.';

COMMENT ON COLUMN assistant.memories.question IS '1 byte to 32 KiB.';

COMMENT ON COLUMN assistant.memories.answer IS '1 byte to 32 KiB.';

COMMENT ON COLUMN assistant.memories.importance IS '1 to 10.';

COMMENT ON COLUMN assistant.memories.tags IS 'At most 32 of 1 to 64 characters.';

COMMENT ON COLUMN assistant.memories.metadata IS 'Free JSON object.';

COMMENT ON COLUMN assistant.memories.expires_at IS 'From when it is gone for everybody; NULL: never.';

COMMENT ON COLUMN assistant.memories.last_used_at IS 'When an assistant last made use of it; NULL: never.';

COMMENT ON COLUMN assistant.memories.use_count IS 'How often an assistant made use of it.';

COMMENT ON COLUMN assistant.memories.version IS 'Counts changes; kept by a trigger. The ETag.';

COMMENT ON COLUMN assistant.memories.created_at IS 'When the row was made; never changes.';

COMMENT ON COLUMN assistant.memories.updated_at IS 'When the row last changed; kept by a trigger.';

COMMENT ON COLUMN assistant.memories.plain IS 'Question and answer in lower case without accents, for trigrams; a generated column.';

COMMENT ON COLUMN assistant.memories.search IS 'Search vector of question (A) and answer (B); a generated column.';

-- The foreign key knows the tenant; that a conversation is of the same user is said here.
CREATE FUNCTION assistant.check_conversation_user() RETURNS trigger
    LANGUAGE plpgsql
AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM assistant.conversations AS c
                    WHERE c.tenant_id = NEW.tenant_id AND c.id = NEW.conversation_id AND c.user_id = NEW.user_id)
    THEN
        RAISE EXCEPTION 'the user has no such conversation'
            USING ERRCODE = 'foreign_key_violation', CONSTRAINT = TG_TABLE_NAME || '_conversation_fkey',
                  TABLE = TG_TABLE_NAME, COLUMN = 'conversation_id';
    END IF;
    RETURN NEW;
END
$$;

COMMENT ON FUNCTION assistant.check_conversation_user() IS 'Refuses another user''s conversation: <table>_conversation_fkey.';

CREATE TRIGGER memories_conversation_user BEFORE INSERT OR UPDATE OF conversation_id, user_id ON assistant.memories
    FOR EACH ROW WHEN (NEW.conversation_id IS NOT NULL)
    EXECUTE FUNCTION assistant.check_conversation_user();

CREATE TRIGGER memories_touch BEFORE UPDATE ON assistant.memories
    FOR EACH ROW EXECUTE FUNCTION core.touch_version();

CREATE TRIGGER memories_audit_insert AFTER INSERT ON assistant.memories
    REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit.record('question', 'answer', 'tags', 'metadata', 'plain', 'search');

CREATE TRIGGER memories_audit_update AFTER UPDATE ON assistant.memories
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit.record('question', 'answer', 'tags', 'metadata', 'plain', 'search');

CREATE TRIGGER memories_audit_delete AFTER DELETE ON assistant.memories
    REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit.record('question', 'answer', 'tags', 'metadata', 'plain', 'search');

ALTER TABLE assistant.memories ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY memories_tenant ON assistant.memories TO quarry_app, quarry_readonly
    USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid))
    WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));

CREATE POLICY memories_owner ON assistant.memories TO quarry_owner USING (true) WITH CHECK (true);

GRANT SELECT, INSERT, UPDATE, DELETE ON assistant.memories TO quarry_app;

-- ---------------------------------------------------------------------------------------------
-- Search
--
-- Under row-level security a condition may be an index condition below the policy only if its
-- operator is leakproof; @@, <% and LIKE are not, and to mark them so wants a superuser. So the
-- search runs in a function of the owner, whose policy is "true". It takes the tenant from the
-- transaction's setting and from nowhere else, and answers ids and ranks alone: who asks joins the
-- table again, where row-level security holds, so that even a mistake here shows nothing foreign.
--
-- force_custom_plan: whether the index on words or the one by user is better depends on the user.

CREATE FUNCTION assistant.importance_weight(importance smallint) RETURNS float8
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN 0.5 + importance / 10.0;

COMMENT ON FUNCTION assistant.importance_weight(smallint) IS '0.6 to 1.5: by what a rank is multiplied.';

-- Words must all be there, in any order; they are plain text, no operators. Where that finds less
-- than a page, misspelt words are looked for by trigrams as well, and come behind. Text without any
-- word in it ("100 %" has one, "%" none) is looked for as it stands.
--
-- To test one row for similarity takes 50 microseconds, and a low threshold lets very many through
-- the index. So it is high beside words that were found, and low only where nothing else helps; and
-- a thousand rows at most are ranked.
-- enable_indexscan: with a LIMIT the planner would rather test a user's rows one by one.
CREATE FUNCTION assistant.find_memories(
    of_user uuid, wanted text, with_tag text, least_importance integer,
    after_rank float8, after_id uuid, most integer)
    RETURNS TABLE (id uuid, rank float8)
    LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 50
    SET search_path = pg_catalog, extensions, pg_temp
    SET plan_cache_mode = force_custom_plan
    SET pg_trgm.word_similarity_threshold = 0.6
    SET enable_indexscan = off
AS $$
DECLARE
    of_tenant uuid := nullif(current_setting('app.tenant_id', true), '')::uuid;
    query tsquery := plainto_tsquery('workspace.simple', normalize(wanted));
    plain_wanted text := core.unaccent(lower(normalize(wanted)));
    by_words integer;
    threshold text;
    similar_ones uuid[];
BEGIN
    IF numnode(query) = 0 THEN
        RETURN QUERY
        SELECT f.id, f.rank
          FROM (SELECT m.id, assistant.importance_weight(m.importance) AS rank
                  FROM assistant.memories AS m
                 WHERE m.tenant_id = of_tenant AND m.user_id = of_user
                   AND strpos(m.plain, plain_wanted) > 0
                   AND (m.expires_at IS NULL OR m.expires_at > now())
                   AND (with_tag IS NULL OR with_tag = ANY (m.tags))
                   AND m.importance >= coalesce(least_importance, 1)) AS f
         WHERE (f.rank, f.id) < (coalesce(after_rank, 'infinity'), coalesce(after_id, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
         ORDER BY f.rank DESC, f.id DESC
         LIMIT most;
        RETURN;
    END IF;

    SELECT count(*) INTO by_words
      FROM (SELECT FROM assistant.memories AS m
             WHERE m.tenant_id = of_tenant AND m.user_id = of_user AND m.search @@ query
             LIMIT 50) AS few;
    IF by_words = 50 THEN
        RETURN QUERY
        SELECT f.id, f.rank
          FROM (SELECT m.id, (1 + ts_rank_cd(m.search, query, 32)) * assistant.importance_weight(m.importance) AS rank
                  FROM assistant.memories AS m
                 WHERE m.tenant_id = of_tenant AND m.user_id = of_user
                   AND m.search @@ query
                   AND (m.expires_at IS NULL OR m.expires_at > now())
                   AND (with_tag IS NULL OR with_tag = ANY (m.tags))
                   AND m.importance >= coalesce(least_importance, 1)) AS f
         WHERE (f.rank, f.id) < (coalesce(after_rank, 'infinity'), coalesce(after_id, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
         ORDER BY f.rank DESC, f.id DESC
         LIMIT most;
    ELSE
        FOREACH threshold IN ARRAY CASE WHEN by_words > 0 THEN '{0.6}'::text[] ELSE '{0.5,0.35}' END LOOP
            PERFORM set_config('pg_trgm.word_similarity_threshold', threshold, true);
            SELECT array_agg(s.id) INTO similar_ones
              FROM (SELECT m.id
                      FROM assistant.memories AS m
                     WHERE m.tenant_id = of_tenant AND m.user_id = of_user
                       AND plain_wanted <% m.plain
                       AND (m.expires_at IS NULL OR m.expires_at > now())
                       AND (with_tag IS NULL OR with_tag = ANY (m.tags))
                       AND m.importance >= coalesce(least_importance, 1)
                     LIMIT 1000) AS s;
            EXIT WHEN similar_ones IS NOT NULL;
        END LOOP;
        RETURN QUERY
        SELECT f.id, f.rank
          FROM (SELECT m.id, (1 + ts_rank_cd(m.search, query, 32)) * assistant.importance_weight(m.importance) AS rank
                  FROM assistant.memories AS m
                 WHERE m.tenant_id = of_tenant AND m.user_id = of_user
                   AND m.search @@ query
                   AND (m.expires_at IS NULL OR m.expires_at > now())
                   AND (with_tag IS NULL OR with_tag = ANY (m.tags))
                   AND m.importance >= coalesce(least_importance, 1)
                 UNION ALL
                SELECT m.id, word_similarity(plain_wanted, m.plain) / 4 * assistant.importance_weight(m.importance)
                  FROM assistant.memories AS m
                 WHERE m.tenant_id = of_tenant AND m.id = ANY (similar_ones)
                   AND NOT m.search @@ query) AS f
         WHERE (f.rank, f.id) < (coalesce(after_rank, 'infinity'), coalesce(after_id, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
         ORDER BY f.rank DESC, f.id DESC
         LIMIT most;
    END IF;
END
$$;

COMMENT ON FUNCTION assistant.find_memories(uuid, text, text, integer, float8, uuid, integer) IS 'Ids and ranks of a user''s memories of this tenant that match, best first.';

-- For a model's context: any of the longest words of what was said may match.
CREATE FUNCTION assistant.match_memories(of_user uuid, said text, most integer)
    RETURNS TABLE (id uuid, rank float8)
    LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 5
    SET search_path = pg_catalog, extensions, pg_temp
    SET plan_cache_mode = force_custom_plan
AS $$
DECLARE
    of_tenant uuid := nullif(current_setting('app.tenant_id', true), '')::uuid;
    query tsquery;
BEGIN
    SELECT string_agg(quote_literal(w.lexeme), ' | ')::tsquery INTO query
      FROM (SELECT l.lexeme
              FROM unnest(to_tsvector('workspace.simple', normalize(left(said, 4000)))) AS l
             WHERE char_length(l.lexeme) > 2
             ORDER BY char_length(l.lexeme) DESC, l.lexeme
             LIMIT 16) AS w;
    RETURN QUERY
    SELECT f.id, f.rank
      FROM (SELECT m.id, ts_rank(m.search, query, 1) * assistant.importance_weight(m.importance) AS rank
              FROM assistant.memories AS m
             WHERE m.tenant_id = of_tenant AND m.user_id = of_user
               AND m.search @@ query
               AND (m.expires_at IS NULL OR m.expires_at > now())) AS f
     ORDER BY f.rank DESC, f.id DESC
     LIMIT most;
END
$$;

COMMENT ON FUNCTION assistant.match_memories(uuid, text, integer) IS 'Ids and ranks of the user''s memories that have most to do with a text.';

-- The sweeper has no tenant, and without one the service sees no row.
CREATE FUNCTION assistant.sweep_memories(batch integer DEFAULT 1000) RETURNS bigint
    LANGUAGE sql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH expired AS (
        SELECT m.tenant_id, m.id
          FROM assistant.memories AS m
         WHERE m.expires_at < now()
         LIMIT batch
           FOR UPDATE SKIP LOCKED
    ), swept AS (
        DELETE FROM assistant.memories AS m
         USING expired AS e
         WHERE m.tenant_id = e.tenant_id AND m.id = e.id
        RETURNING 1
    )
    SELECT count(*) FROM swept;
END;

COMMENT ON FUNCTION assistant.sweep_memories(integer) IS 'Deletes up to batch expired memories of all tenants; answers how many.';

GRANT EXECUTE ON FUNCTION assistant.find_memories(uuid, text, text, integer, float8, uuid, integer),
                          assistant.match_memories(uuid, text, integer) TO quarry_app, quarry_readonly;

GRANT EXECUTE ON FUNCTION assistant.sweep_memories(integer) TO quarry_app;
