-- depends: 0016-files
-- A generation for each user's memories: what was found in them is good while it stays the same.

SET LOCAL lock_timeout = '3s';

SET LOCAL statement_timeout = '60s';

SET LOCAL ROLE quarry_owner;

-- A cache of searches keys its entries by this value and reads it on each request, so what a change
-- makes wrong is out of reach from the moment that the change commits. It is no counter: after a
-- restored backup a counter would give out its numbers a second time.
CREATE TABLE assistant.memory_generations (
    tenant_id uuid NOT NULL,
    user_id uuid NOT NULL,
    generation uuid NOT NULL DEFAULT uuidv7(),
    CONSTRAINT memory_generations_pkey PRIMARY KEY (tenant_id, user_id),
    CONSTRAINT memory_generations_user_fkey FOREIGN KEY (tenant_id, user_id) REFERENCES workspace.users (tenant_id, id)
) WITH (fillfactor = 50);

COMMENT ON TABLE assistant.memory_generations IS 'Changes whenever a memory of the user is made, changed or removed. Kept by triggers.';

COMMENT ON COLUMN assistant.memory_generations.tenant_id IS 'The tenant that the row belongs to.';

COMMENT ON COLUMN assistant.memory_generations.user_id IS 'The user.';

COMMENT ON COLUMN assistant.memory_generations.generation IS 'A new value with every change.';

-- In the order of the users, so that two changes of many users cannot wait for each other.
CREATE FUNCTION assistant.renew_memory_generation() RETURNS trigger
    LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO assistant.memory_generations AS g (tenant_id, user_id)
    SELECT DISTINCT c.tenant_id, c.user_id
      FROM changed_rows AS c
     ORDER BY c.tenant_id, c.user_id
        ON CONFLICT (tenant_id, user_id) DO UPDATE SET generation = uuidv7();
    RETURN NULL;
END
$$;

COMMENT ON FUNCTION assistant.renew_memory_generation() IS 'AFTER a change of memories: their users'' generations are new.';

CREATE TRIGGER memories_renew_insert AFTER INSERT ON assistant.memories
    REFERENCING NEW TABLE AS changed_rows
    FOR EACH STATEMENT EXECUTE FUNCTION assistant.renew_memory_generation();

CREATE TRIGGER memories_renew_update AFTER UPDATE ON assistant.memories
    REFERENCING NEW TABLE AS changed_rows
    FOR EACH STATEMENT EXECUTE FUNCTION assistant.renew_memory_generation();

CREATE TRIGGER memories_renew_delete AFTER DELETE ON assistant.memories
    REFERENCING OLD TABLE AS changed_rows
    FOR EACH STATEMENT EXECUTE FUNCTION assistant.renew_memory_generation();

ALTER TABLE assistant.memory_generations ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY memory_generations_tenant ON assistant.memory_generations TO quarry_app, quarry_readonly
    USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid))
    WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));

CREATE POLICY memory_generations_owner ON assistant.memory_generations TO quarry_owner USING (true) WITH CHECK (true);

GRANT SELECT, INSERT, UPDATE ON assistant.memory_generations TO quarry_app;

-- For a cache that is filled at start, before any tenant has asked: ids alone.
CREATE FUNCTION assistant.newest(most integer)
    RETURNS TABLE (tenant_id uuid, user_id uuid, conversation_id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER ROWS 100
    SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT u.tenant_id, u.id, (SELECT c.id
                                 FROM assistant.conversations AS c
                                WHERE c.tenant_id = u.tenant_id AND c.user_id = u.id AND c.deleted_at IS NULL
                                ORDER BY c.is_pinned DESC, c.active_at DESC, c.id DESC
                                LIMIT 1)
      FROM workspace.users AS u
     WHERE u.deleted_at IS NULL
     ORDER BY u.created_at DESC, u.id DESC
     LIMIT most;
END;

COMMENT ON FUNCTION assistant.newest(integer) IS 'The newest users of all tenants, each with the conversation that is first in the list.';

GRANT EXECUTE ON FUNCTION assistant.newest(integer) TO quarry_app;
