-- depends: 0002-core
-- The audit trail: who changed what, written by triggers in the transaction of the change itself.

SET LOCAL lock_timeout = '3s';

SET LOCAL statement_timeout = '60s';

SET LOCAL ROLE quarry_owner;

CREATE SCHEMA audit;

COMMENT ON SCHEMA audit IS 'Who changed what. Written by triggers, never changed by the service.';

GRANT USAGE ON SCHEMA audit TO quarry_app, quarry_readonly, quarry_backup;

-- Partitioned by month, so that old events leave by dropping a table instead of by deleting rows.
-- The primary key leads with the tenant and, read backwards, is the order of GET /audit.
CREATE TABLE audit.events (
    tenant_id uuid NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    id uuid NOT NULL DEFAULT uuidv7(),
    actor text NOT NULL,
    user_id uuid,
    request_id text,
    table_name text NOT NULL,
    row_id uuid NOT NULL,
    action text NOT NULL,
    before jsonb,
    after jsonb,
    CONSTRAINT events_pkey PRIMARY KEY (tenant_id, at, id),
    CONSTRAINT events_action_known CHECK (action IN ('insert', 'update', 'delete', 'redact'))
) PARTITION BY RANGE (at);

CREATE INDEX events_row_idx ON audit.events (tenant_id, table_name, row_id, at);

COMMENT ON TABLE audit.events IS 'One row per changed row. Partitions by month (UTC) are made ahead by audit.ensure_partitions().';

COMMENT ON COLUMN audit.events.tenant_id IS 'Tenant of the changed row.';

COMMENT ON COLUMN audit.events.at IS 'When the changing statement ended, by the server''s clock.';

COMMENT ON COLUMN audit.events.id IS 'Orders events of one instant.';

COMMENT ON COLUMN audit.events.actor IS 'Who: key:<id> or sub:<subject> from the service, else the database role that was logged in.';

COMMENT ON COLUMN audit.events.user_id IS 'The user that acted, where the credential names one.';

COMMENT ON COLUMN audit.events.request_id IS 'X-Request-ID of the request; NULL when the change came from elsewhere.';

COMMENT ON COLUMN audit.events.table_name IS 'schema.table of the changed row.';

COMMENT ON COLUMN audit.events.row_id IS 'Column id of the changed row.';

COMMENT ON COLUMN audit.events.action IS 'insert, update, delete; redact when personal data was taken out of earlier events.';

COMMENT ON COLUMN audit.events.before IS 'update: the changed columns as they were; delete: the row; else NULL. Bulky columns are left out.';

COMMENT ON COLUMN audit.events.after IS 'update: the changed columns as they are; insert: the row; else NULL. Bulky columns are left out.';

ALTER TABLE audit.events ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

-- For SELECT and INSERT alone: even with a careless GRANT the service could not change an event.
CREATE POLICY events_tenant_select ON audit.events FOR SELECT TO quarry_app, quarry_readonly
    USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));

CREATE POLICY events_tenant_insert ON audit.events FOR INSERT TO quarry_app
    WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));

CREATE POLICY events_owner ON audit.events TO quarry_owner USING (true) WITH CHECK (true);

GRANT SELECT, INSERT ON audit.events TO quarry_app;

GRANT SELECT ON audit.events TO quarry_readonly;

-- Row-level security of the parent does not hold for a query that names a partition, so each
-- partition gets its own, and nobody but the owner gets a privilege on it.
CREATE TABLE audit.events_default (LIKE audit.events INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING COMMENTS);

ALTER TABLE audit.events ATTACH PARTITION audit.events_default DEFAULT;

COMMENT ON TABLE audit.events_default IS 'Events of months without a partition, so that no change ever fails for want of one. Normally empty.';

ALTER TABLE audit.events_default ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY events_default_owner ON audit.events_default TO quarry_owner USING (true) WITH CHECK (true);

-- ATTACH needs only a SHARE UPDATE EXCLUSIVE lock on the parent, so writers go on; the default
-- partition is locked, and is as good as empty. Rows of the month that are already in it move.
CREATE FUNCTION audit.ensure_partitions(months_ahead integer DEFAULT 3) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET timezone = 'UTC'
    SET lock_timeout = '5s'
AS $$
DECLARE
    first_day timestamptz;
    next_day timestamptz;
    partition_name text;
    made integer := 0;
BEGIN
    IF months_ahead IS NULL OR months_ahead NOT BETWEEN 0 AND 120 THEN
        RAISE EXCEPTION 'months_ahead must be 0 to 120' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('audit.ensure_partitions', 0));
    FOR month IN 0 .. months_ahead LOOP
        first_day := date_trunc('month', now()) + make_interval(months => month);
        next_day := first_day + interval '1 month';
        partition_name := to_char(first_day, '"events_"YYYY_MM');
        CONTINUE WHEN to_regclass('audit.' || partition_name) IS NOT NULL;
        EXECUTE format('CREATE TABLE audit.%I (LIKE audit.events INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING COMMENTS)',
                       partition_name);
        EXECUTE format('COMMENT ON TABLE audit.%I IS %L', partition_name,
                       'Events of ' || to_char(first_day, 'YYYY-MM') || ' (UTC).');
        EXECUTE format('ALTER TABLE audit.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', partition_name);
        EXECUTE format('CREATE POLICY %I ON audit.%I TO quarry_owner USING (true) WITH CHECK (true)',
                       partition_name || '_owner', partition_name);
        LOCK TABLE audit.events_default IN ACCESS EXCLUSIVE MODE;
        EXECUTE format('WITH moved AS (DELETE FROM audit.events_default WHERE at >= $1 AND at < $2 RETURNING *) '
                       'INSERT INTO audit.%I SELECT * FROM moved', partition_name)
          USING first_day, next_day;
        EXECUTE format('ALTER TABLE audit.events ATTACH PARTITION audit.%I FOR VALUES FROM (%L) TO (%L)',
                       partition_name, first_day, next_day);
        made := made + 1;
    END LOOP;
    RETURN made;
END
$$;

COMMENT ON FUNCTION audit.ensure_partitions(integer) IS 'Makes the partitions of this month and so many after it; answers how many were missing. Safe in parallel.';

GRANT EXECUTE ON FUNCTION audit.ensure_partitions(integer) TO quarry_app;

DO $$
BEGIN
    PERFORM audit.ensure_partitions(3);
END
$$;

-- Inlined into its caller: no call of it is left in the plan.
CREATE FUNCTION audit.changes(old_row jsonb, new_row jsonb, OUT before jsonb, OUT after jsonb) RETURNS SETOF record
    LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 1
BEGIN ATOMIC
    SELECT jsonb_object_agg(e.key, old_row -> e.key), jsonb_object_agg(e.key, e.value)
      FROM jsonb_each(new_row) AS e
     WHERE e.value IS DISTINCT FROM old_row -> e.key;
END;

COMMENT ON FUNCTION audit.changes(jsonb, jsonb) IS 'The columns that differ, before and after; both NULL when none does.';

GRANT EXECUTE ON FUNCTION audit.changes(jsonb, jsonb) TO quarry_app;

-- One function for every audited table: columns id and tenant_id are all that it asks for.
--
-- It is a statement-level trigger that reads transition tables: 1,000 rows cost one INSERT … SELECT
-- instead of 1,000 calls. Measured (PostgreSQL 18, CPU of the server process) against a row-level
-- variant of the same: 1,000 inserts +8 ms instead of +16, 1,000 updates +17 instead of +30; a
-- single row costs the same in both, +25 µs an insert, +85 µs an update, half of it the comparison.
-- FULL JOIN pairs the rows before and after because it can never become a nested loop: the plan is
-- made once per session and must be right for one row and for 10,000.
--
-- OFFSET 0 keeps each image a value: without it the planner copies to_jsonb() to every place where
-- it is used, and one row is turned into JSON once for each of its columns.
--
-- Its arguments are columns to leave out of the trail (bulky ones, hashes). Then the query is built
-- from the catalogue, so that those columns are not even fetched from their TOAST table.
CREATE FUNCTION audit.record() RETURNS trigger
    LANGUAGE plpgsql
AS $$
DECLARE
    at_time timestamptz := clock_timestamp();
    by_actor text := coalesce(nullif(current_setting('app.actor', true), ''), session_user);
    by_user uuid := nullif(current_setting('app.user_id', true), '')::uuid;
    by_request text := nullif(current_setting('app.request_id', true), '');
    of_table text := TG_TABLE_SCHEMA || '.' || TG_TABLE_NAME;
    kept text;
BEGIN
    IF TG_NARGS > 0 THEN
        SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum)
          INTO STRICT kept
          FROM pg_catalog.pg_attribute AS a
         WHERE a.attrelid = TG_RELID AND a.attnum > 0 AND NOT a.attisdropped
           AND a.attname <> ALL (TG_ARGV);
    END IF;

    IF TG_OP = 'INSERT' AND kept IS NULL THEN
        INSERT INTO audit.events (tenant_id, at, actor, user_id, request_id, table_name, row_id, action, after)
        SELECT n.tenant_id, at_time, by_actor, by_user, by_request, of_table, n.id, 'insert', to_jsonb(n)
          FROM new_rows AS n;
    ELSIF TG_OP = 'INSERT' THEN
        EXECUTE format(
            'INSERT INTO audit.events (tenant_id, at, actor, user_id, request_id, table_name, row_id, action, after) '
            'SELECT n.tenant_id, $1, $2, $3, $4, $5, n.id, ''insert'', to_jsonb(n) FROM (SELECT %s FROM new_rows) AS n', kept)
          USING at_time, by_actor, by_user, by_request, of_table;
    ELSIF TG_OP = 'DELETE' AND kept IS NULL THEN
        INSERT INTO audit.events (tenant_id, at, actor, user_id, request_id, table_name, row_id, action, before)
        SELECT o.tenant_id, at_time, by_actor, by_user, by_request, of_table, o.id, 'delete', to_jsonb(o)
          FROM old_rows AS o;
    ELSIF TG_OP = 'DELETE' THEN
        EXECUTE format(
            'INSERT INTO audit.events (tenant_id, at, actor, user_id, request_id, table_name, row_id, action, before) '
            'SELECT o.tenant_id, $1, $2, $3, $4, $5, o.id, ''delete'', to_jsonb(o) FROM (SELECT %s FROM old_rows) AS o', kept)
          USING at_time, by_actor, by_user, by_request, of_table;
    ELSIF kept IS NULL THEN
        INSERT INTO audit.events (tenant_id, at, actor, user_id, request_id, table_name, row_id, action, before, after)
        SELECT n.tenant_id, at_time, by_actor, by_user, by_request, of_table, n.id, 'update', changed.before, changed.after
          FROM old_rows AS o
          FULL JOIN new_rows AS n ON n.tenant_id = o.tenant_id AND n.id = o.id
         CROSS JOIN LATERAL (SELECT to_jsonb(o) AS before, to_jsonb(n) AS after OFFSET 0) AS image
         CROSS JOIN LATERAL audit.changes(image.before, image.after) AS changed
         WHERE changed.after IS NOT NULL;
    ELSE
        EXECUTE format(
            'INSERT INTO audit.events (tenant_id, at, actor, user_id, request_id, table_name, row_id, action, before, after) '
            'SELECT n.tenant_id, $1, $2, $3, $4, $5, n.id, ''update'', changed.before, changed.after '
            '  FROM (SELECT %1$s FROM old_rows) AS o '
            '  FULL JOIN (SELECT %1$s FROM new_rows) AS n ON n.tenant_id = o.tenant_id AND n.id = o.id '
            ' CROSS JOIN LATERAL (SELECT to_jsonb(o) AS before, to_jsonb(n) AS after OFFSET 0) AS image '
            ' CROSS JOIN LATERAL audit.changes(image.before, image.after) AS changed '
            ' WHERE changed.after IS NOT NULL', kept)
          USING at_time, by_actor, by_user, by_request, of_table;
    END IF;
    RETURN NULL;
END
$$;

COMMENT ON FUNCTION audit.record() IS 'AFTER statement trigger: one event per row of old_rows and new_rows. Arguments: columns to leave out.';

-- ---------------------------------------------------------------------------------------------
-- Erasing personal data

-- What a person may ask to be forgotten. Only these columns can be taken out of events, so that
-- the right to erase is no way to cover up anything else.
CREATE TABLE audit.personal_columns (
    table_name text NOT NULL,
    column_name text NOT NULL,
    CONSTRAINT personal_columns_pkey PRIMARY KEY (table_name, column_name)
);

COMMENT ON TABLE audit.personal_columns IS 'Columns that audit.redact() may take out of events. Filled by migrations.';

COMMENT ON COLUMN audit.personal_columns.table_name IS 'schema.table, as in audit.events.';

COMMENT ON COLUMN audit.personal_columns.column_name IS 'Name of the column.';

-- To be called in a statement of its own after the one that erased the row itself: the event of
-- that statement is written at its end and holds the old values too.
CREATE FUNCTION audit.redact(of_table text, of_row uuid) RETURNS bigint
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
     WHERE p.table_name = of_table;
    IF personal IS NULL THEN
        RAISE EXCEPTION 'table "%" has no personal columns', of_table USING ERRCODE = 'invalid_parameter_value';
    END IF;

    UPDATE audit.events AS e
       SET before = audit.erased(e.before, personal),
           after = audit.erased(e.after, personal)
     WHERE e.tenant_id = of_tenant AND e.table_name = of_table AND e.row_id = of_row
       AND (e.before ?| personal OR e.after ?| personal);
    GET DIAGNOSTICS redacted = ROW_COUNT;

    INSERT INTO audit.events (tenant_id, actor, user_id, request_id, table_name, row_id, action, after)
    VALUES (of_tenant,
            coalesce(nullif(current_setting('app.actor', true), ''), session_user),
            nullif(current_setting('app.user_id', true), '')::uuid,
            nullif(current_setting('app.request_id', true), ''),
            of_table, of_row, 'redact', jsonb_build_object('columns', personal, 'events', redacted));
    RETURN redacted;
END
$$;

COMMENT ON FUNCTION audit.redact(text, uuid) IS 'Takes personal columns of one row of this tenant out of its events, and says so in an event; answers how many events changed.';

CREATE FUNCTION audit.erased(image jsonb, personal text[]) RETURNS jsonb
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT CASE WHEN image IS NULL THEN NULL
                ELSE image || coalesce((SELECT jsonb_object_agg(p, '[erased]')
                                          FROM unnest(personal) AS p WHERE image ? p), '{}') END;
END;

COMMENT ON FUNCTION audit.erased(jsonb, text[]) IS 'The image with "[erased]" in place of personal values.';

GRANT EXECUTE ON FUNCTION audit.redact(text, uuid) TO quarry_app;

-- ---------------------------------------------------------------------------------------------
-- Keys are audited from here on: who made one, who revoked it. Its use is no change.

CREATE TRIGGER api_keys_audit_insert AFTER INSERT ON core.api_keys
    REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit.record('secret_hash', 'last_used_at');

CREATE TRIGGER api_keys_audit_update AFTER UPDATE ON core.api_keys
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit.record('secret_hash', 'last_used_at');

CREATE TRIGGER api_keys_audit_delete AFTER DELETE ON core.api_keys
    REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit.record('secret_hash', 'last_used_at');
