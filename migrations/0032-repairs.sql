-- depends: 0031-discovery-reference
-- What `quarry integrity repair` changed: every row as it was, so that all of it can be undone.

SET LOCAL lock_timeout = '3s';

SET LOCAL statement_timeout = '60s';

SET LOCAL ROLE quarry_owner;

CREATE TABLE ops.repairs (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL DEFAULT uuidv7(),
    run_id uuid NOT NULL,
    check_name text NOT NULL,
    table_name text NOT NULL,
    row_id uuid NOT NULL,
    action text NOT NULL,
    changes jsonb,
    before jsonb,
    confidence numeric(3, 2) NOT NULL,
    evidence text NOT NULL,
    actor text NOT NULL DEFAULT coalesce(nullif(current_setting('app.actor', true), ''), session_user),
    applied_at timestamptz,
    undone_at timestamptz,
    CONSTRAINT repairs_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT repairs_row_key UNIQUE (run_id, table_name, tenant_id, row_id, action, check_name),
    CONSTRAINT repairs_action_known CHECK (action IN ('update', 'quarantine')),
    CONSTRAINT repairs_changes_of_update CHECK ((action = 'update') = (changes IS NOT NULL)),
    CONSTRAINT repairs_confidence_range CHECK (confidence BETWEEN 0 AND 1),
    CONSTRAINT repairs_applied_whole CHECK (applied_at IS NULL OR before IS NOT NULL),
    CONSTRAINT repairs_undone_after CHECK (undone_at IS NULL OR applied_at IS NOT NULL)
);

COMMENT ON TABLE ops.repairs IS 'Rows that a repair changed or took out of their table. A run is undone as a whole.';

COMMENT ON COLUMN ops.repairs.tenant_id IS 'The tenant that the row says it belongs to.';

COMMENT ON COLUMN ops.repairs.id IS 'Made by the database; ordered by time.';

COMMENT ON COLUMN ops.repairs.run_id IS 'One run of the command: what is applied, and undone, together.';

COMMENT ON COLUMN ops.repairs.check_name IS 'The check that found the damage.';

COMMENT ON COLUMN ops.repairs.table_name IS 'schema.table of the row.';

COMMENT ON COLUMN ops.repairs.row_id IS 'Column id of the row.';

COMMENT ON COLUMN ops.repairs.action IS 'update: columns got other values; quarantine: the row is here and not in its table any more.';

COMMENT ON COLUMN ops.repairs.changes IS 'update: the new values by column; NULL for quarantine.';

COMMENT ON COLUMN ops.repairs.before IS 'update: the same columns as they were; quarantine: the whole row.';

COMMENT ON COLUMN ops.repairs.confidence IS '0 to 1: how sure it is that this is how the row should be.';

COMMENT ON COLUMN ops.repairs.evidence IS 'What speaks for it.';

COMMENT ON COLUMN ops.repairs.actor IS 'Who asked for it, as in audit.events.';

COMMENT ON COLUMN ops.repairs.applied_at IS 'When it was done; NULL: only planned.';

COMMENT ON COLUMN ops.repairs.undone_at IS 'When it was undone; NULL: it stands.';

ALTER TABLE ops.repairs ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY repairs_tenant ON ops.repairs FOR SELECT TO quarry_app, quarry_readonly
    USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));

CREATE POLICY repairs_owner ON ops.repairs TO quarry_owner USING (true) WITH CHECK (true);

GRANT SELECT ON ops.repairs TO quarry_app;

CREATE VIEW ops.quarantine WITH (security_invoker = true) AS
SELECT r.tenant_id, r.run_id, r.check_name, r.table_name, r.row_id, r.before AS row, r.confidence, r.evidence,
       r.actor, r.applied_at
  FROM ops.repairs AS r
 WHERE r.action = 'quarantine'
   AND r.applied_at IS NOT NULL
   AND r.undone_at IS NULL;

COMMENT ON VIEW ops.quarantine IS 'Rows that a repair took out of their tables because nobody can tell what they should be.';

-- ---------------------------------------------------------------------------------------------
-- Planning

-- A delete takes rows of other tables along (CASCADE) and loosens links (SET NULL). To be undone,
-- they must be known before: this asks the catalogue, as deep as it goes.
CREATE FUNCTION ops.gather_repairs(run uuid) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    link record;
    found bigint;
    added bigint;
BEGIN
    FOR link IN
        SELECT DISTINCT r.table_name AS name
          FROM ops.repairs AS r
         WHERE r.run_id = run AND r.action = 'quarantine' AND r.before IS NULL
    LOOP
        EXECUTE format('UPDATE ops.repairs AS r SET before = to_jsonb(t) FROM %s AS t '
                       'WHERE r.run_id = $1 AND r.table_name = $2 AND r.action = ''quarantine'' AND r.before IS NULL '
                       'AND t.tenant_id = r.tenant_id AND t.id = r.row_id', link.name) USING run, link.name;
    END LOOP;
    LOOP
        added := 0;
        FOR link IN
            SELECT k.conrelid::regclass::text AS child, k.confrelid::regclass::text AS parent, k.confdeltype = 'c' AS cascades,
                   (SELECT string_agg(format('c.%I = p.%I', a.attname, b.attname), ' AND ')
                      FROM unnest(k.conkey, k.confkey) AS pair (of_child, of_parent)
                      JOIN pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = pair.of_child
                      JOIN pg_attribute AS b ON b.attrelid = k.confrelid AND b.attnum = pair.of_parent) AS matches,
                   (SELECT jsonb_object_agg(a.attname, NULL::text)
                      FROM pg_attribute AS a
                     WHERE a.attrelid = k.conrelid
                       AND a.attnum = ANY (coalesce(k.confdelsetcols, k.conkey))) AS loosened
              FROM pg_constraint AS k
             WHERE k.contype = 'f'
               AND k.conparentid = 0
               AND k.confdeltype IN ('c', 'n')
               AND EXISTS (SELECT FROM ops.repairs AS r
                            WHERE r.run_id = run AND r.action = 'quarantine' AND r.table_name = k.confrelid::regclass::text)
        LOOP
            EXECUTE format(
                'INSERT INTO ops.repairs (tenant_id, run_id, check_name, table_name, row_id, action, changes, before, confidence, evidence) '
                'SELECT DISTINCT ON (c.tenant_id, c.id) c.tenant_id, r.run_id, r.check_name, $2, c.id, $3, $4, '
                'CASE WHEN $4 IS NULL THEN to_jsonb(c) END, r.confidence, ''goes with '' || $5 || '' '' || r.row_id '
                'FROM ops.repairs AS r JOIN %s AS p ON p.tenant_id = r.tenant_id AND p.id = r.row_id JOIN %s AS c ON %s '
                'WHERE r.run_id = $1 AND r.action = ''quarantine'' AND r.table_name = $5 '
                'AND NOT EXISTS (SELECT FROM ops.repairs AS known WHERE known.run_id = $1 AND known.table_name = $2 '
                'AND known.tenant_id = c.tenant_id AND known.row_id = c.id AND known.action IN (''quarantine'', $3) '
                'AND ($4 IS NULL OR known.action = ''quarantine'' OR known.changes ?& ARRAY(SELECT jsonb_object_keys($4)))) '
                'ORDER BY c.tenant_id, c.id ON CONFLICT (run_id, table_name, tenant_id, row_id, action, check_name) DO NOTHING',
                link.parent, link.child, link.matches)
            USING run, link.child, CASE WHEN link.cascades THEN 'quarantine' ELSE 'update' END,
                  CASE WHEN NOT link.cascades THEN link.loosened END, link.parent;
            GET DIAGNOSTICS found = ROW_COUNT;
            added := added + found;
        END LOOP;
        EXIT WHEN added = 0;
    END LOOP;
    RETURN (SELECT count(*) FROM ops.repairs AS r WHERE r.run_id = run);
END
$$;

COMMENT ON FUNCTION ops.gather_repairs(uuid) IS 'Adds to a run what its quarantine would take along or loosen; answers how many rows it has. Changes no data.';

-- Triggers of ours stand still while a repair works: they would refuse what never changes, count
-- versions up and write events, and what was could not be brought back. Foreign keys stay on. As
-- each trigger was, so it is again: $2 NULL puts them to sleep and answers how they were.
CREATE FUNCTION ops.rest_triggers(tables text[], as_they_were jsonb DEFAULT NULL) RETURNS jsonb
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    name text;
    kept record;
    found jsonb;
BEGIN
    IF as_they_were IS NULL THEN
        SELECT coalesce(jsonb_agg(jsonb_build_object('table_name', g.tgrelid::regclass::text, 'name', g.tgname, 'enabled', g.tgenabled)), '[]')
          INTO found
          FROM pg_trigger AS g
         WHERE g.tgrelid = ANY (tables::regclass[]) AND NOT g.tgisinternal AND g.tgenabled <> 'O';
        FOREACH name IN ARRAY tables LOOP
            EXECUTE format('ALTER TABLE %s DISABLE TRIGGER USER', name);
        END LOOP;
        RETURN found;
    END IF;
    FOREACH name IN ARRAY tables LOOP
        EXECUTE format('ALTER TABLE %s ENABLE TRIGGER USER', name);
    END LOOP;
    FOR kept IN SELECT k.table_name, k.name, k.enabled
                  FROM jsonb_to_recordset(as_they_were) AS k (table_name text, name text, enabled text)
    LOOP
        EXECUTE format('ALTER TABLE %s %s TRIGGER %I', kept.table_name,
                       CASE kept.enabled WHEN 'D' THEN 'DISABLE' WHEN 'R' THEN 'ENABLE REPLICA' ELSE 'ENABLE ALWAYS' END,
                       kept.name);
    END LOOP;
    RETURN NULL;
END
$$;

COMMENT ON FUNCTION ops.rest_triggers(text[], jsonb) IS 'Disables the triggers of tables and answers which were not plainly enabled; given that, enables them as they were.';

CREATE FUNCTION ops.note_repairs(run uuid, undone boolean) RETURNS void
    LANGUAGE sql VOLATILE
    SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    INSERT INTO audit.events (tenant_id, actor, table_name, row_id, action, before, after)
    SELECT r.tenant_id, coalesce(nullif(current_setting('app.actor', true), ''), session_user), r.table_name, r.row_id,
           CASE WHEN r.action = 'update' THEN 'update' WHEN undone THEN 'insert' ELSE 'delete' END,
           CASE WHEN r.action = 'quarantine' THEN CASE WHEN NOT undone THEN r.before END
                WHEN undone THEN r.changes ELSE r.before END,
           CASE WHEN r.action = 'quarantine' THEN CASE WHEN undone THEN r.before END
                WHEN undone THEN r.before ELSE r.changes END
      FROM ops.repairs AS r
     WHERE r.run_id = run;
END;

COMMENT ON FUNCTION ops.note_repairs(uuid, boolean) IS 'Writes the audit events of a run that was applied or undone.';

-- ---------------------------------------------------------------------------------------------
-- Doing

CREATE FUNCTION ops.apply_repairs(run uuid) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    tables text[];
    resting jsonb;
    part record;
    changed bigint;
    wanted bigint;
BEGIN
    PERFORM ops.gather_repairs(run);
    tables := ARRAY(SELECT DISTINCT r.table_name FROM ops.repairs AS r WHERE r.run_id = run ORDER BY 1);
    IF cardinality(tables) = 0 THEN
        RETURN 0;
    END IF;
    resting := ops.rest_triggers(tables);
    -- Now that nobody else writes to these tables: what came in between is taken along as well.
    PERFORM ops.gather_repairs(run);
    FOR part IN
        SELECT r.table_name, r.check_name, count(*) AS number,
               (SELECT string_agg(DISTINCT quote_ident(key), ', ' ORDER BY quote_ident(key)) FROM ops.repairs AS k
                 CROSS JOIN jsonb_object_keys(k.changes) AS key
                 WHERE k.run_id = run AND k.action = 'update' AND k.table_name = r.table_name AND k.check_name = r.check_name) AS columns
          FROM ops.repairs AS r
         WHERE r.run_id = run AND r.action = 'update'
         GROUP BY r.table_name, r.check_name
         ORDER BY min(r.id::text)
    LOOP
        EXECUTE format('UPDATE ops.repairs AS r SET before = '
                       '(SELECT jsonb_object_agg(key, to_jsonb(t) -> key) FROM jsonb_object_keys(r.changes) AS key) FROM %s AS t '
                       'WHERE r.run_id = $1 AND r.table_name = $2 AND r.check_name = $3 AND r.action = ''update'' '
                       'AND t.tenant_id = r.tenant_id AND t.id = r.row_id', part.table_name)
          USING run, part.table_name, part.check_name;
        EXECUTE format('UPDATE %1$s AS t SET (%2$s) = (SELECT %2$s FROM jsonb_populate_record(t, r.changes)) '
                       'FROM ops.repairs AS r WHERE r.run_id = $1 AND r.table_name = $2 AND r.check_name = $3 '
                       'AND r.action = ''update'' AND t.tenant_id = r.tenant_id AND t.id = r.row_id',
                       part.table_name, part.columns)
          USING run, part.table_name, part.check_name;
        GET DIAGNOSTICS changed = ROW_COUNT;
        IF changed <> part.number THEN
            RAISE EXCEPTION '% of % rows of % are not there any more: check again', part.number - changed, part.number, part.table_name;
        END IF;
    END LOOP;
    -- Last gathered, first deleted: children before their parents.
    FOR part IN
        SELECT r.table_name, count(*) AS number
          FROM ops.repairs AS r
         WHERE r.run_id = run AND r.action = 'quarantine'
         GROUP BY r.table_name
         ORDER BY max(r.id::text) DESC
    LOOP
        EXECUTE format('DELETE FROM %s AS t USING ops.repairs AS r WHERE r.run_id = $1 AND r.table_name = $2 '
                       'AND r.action = ''quarantine'' AND t.tenant_id = r.tenant_id AND t.id = r.row_id', part.table_name)
          USING run, part.table_name;
        GET DIAGNOSTICS changed = ROW_COUNT;
        IF changed <> part.number THEN
            RAISE EXCEPTION '% of % rows of % are not there any more: check again', part.number - changed, part.number, part.table_name;
        END IF;
    END LOOP;
    PERFORM ops.rest_triggers(tables, resting);
    UPDATE ops.repairs AS r SET applied_at = clock_timestamp() WHERE r.run_id = run;
    PERFORM ops.note_repairs(run, false);
    SELECT count(*) INTO wanted FROM ops.repairs AS r WHERE r.run_id = run;
    RETURN wanted;
END
$$;

COMMENT ON FUNCTION ops.apply_repairs(uuid) IS 'Does what a run has planned, all or nothing; answers how many rows.';

-- Damage is what the constraints do not allow, so that bringing it back needs them off. Only a
-- superuser may do that for foreign keys; others are refused where one stands in the way.
CREATE FUNCTION ops.undo_repairs(run uuid) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    tables text[] := ARRAY(SELECT DISTINCT r.table_name FROM ops.repairs AS r
                            WHERE r.run_id = run AND r.applied_at IS NOT NULL AND r.undone_at IS NULL ORDER BY 1);
    role_before text := current_setting('session_replication_role');
    resting jsonb;
    part record;
    changed bigint;
    done bigint := 0;
BEGIN
    IF cardinality(tables) = 0 THEN
        RETURN 0;
    END IF;
    resting := ops.rest_triggers(tables);
    BEGIN
        PERFORM set_config('session_replication_role', 'replica', true);
    EXCEPTION WHEN insufficient_privilege THEN
        RAISE NOTICE 'foreign keys stay on: only a superuser may bring back what they refuse';
    END;
    FOR part IN
        SELECT r.table_name, count(*) AS number,
               (SELECT array_agg(quote_ident(a.attname) ORDER BY a.attnum)
                  FROM pg_attribute AS a
                 WHERE a.attrelid = r.table_name::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '') AS columns
          FROM ops.repairs AS r
         WHERE r.run_id = run AND r.action = 'quarantine' AND r.applied_at IS NOT NULL AND r.undone_at IS NULL
         GROUP BY r.table_name
         ORDER BY max(r.id::text)
    LOOP
        EXECUTE format('INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT was.%s FROM ops.repairs AS r '
                       'CROSS JOIN LATERAL jsonb_populate_record(NULL::%s, r.before) AS was '
                       'WHERE r.run_id = $1 AND r.table_name = $2 AND r.action = ''quarantine'' AND r.applied_at IS NOT NULL',
                       part.table_name, array_to_string(part.columns, ', '), array_to_string(part.columns, ', was.'), part.table_name)
          USING run, part.table_name;
        done := done + part.number;
    END LOOP;
    FOR part IN
        SELECT r.table_name, r.check_name, count(*) AS number,
               (SELECT string_agg(DISTINCT quote_ident(key), ', ' ORDER BY quote_ident(key)) FROM ops.repairs AS k
                 CROSS JOIN jsonb_object_keys(k.changes) AS key
                 WHERE k.run_id = run AND k.action = 'update' AND k.table_name = r.table_name AND k.check_name = r.check_name) AS columns
          FROM ops.repairs AS r
         WHERE r.run_id = run AND r.action = 'update' AND r.applied_at IS NOT NULL AND r.undone_at IS NULL
         GROUP BY r.table_name, r.check_name
         ORDER BY max(r.id::text) DESC
    LOOP
        EXECUTE format('UPDATE %1$s AS t SET (%2$s) = (SELECT %2$s FROM jsonb_populate_record(t, r.before)) '
                       'FROM ops.repairs AS r WHERE r.run_id = $1 AND r.table_name = $2 AND r.check_name = $3 '
                       'AND r.action = ''update'' AND t.tenant_id = r.tenant_id AND t.id = r.row_id '
                       'AND (to_jsonb(t) @> r.changes OR EXISTS (SELECT FROM ops.repairs AS q WHERE q.run_id = $1 '
                       'AND q.table_name = $2 AND q.tenant_id = r.tenant_id AND q.row_id = r.row_id AND q.action = ''quarantine''))',
                       part.table_name, part.columns)
          USING run, part.table_name, part.check_name;
        GET DIAGNOSTICS changed = ROW_COUNT;
        IF changed <> part.number THEN
            RAISE EXCEPTION '% of % rows of % have changed since the repair', part.number - changed, part.number, part.table_name
                USING ERRCODE = 'object_not_in_prerequisite_state';
        END IF;
        done := done + part.number;
    END LOOP;
    PERFORM set_config('session_replication_role', role_before, true)
      WHERE current_setting('session_replication_role') <> role_before;
    PERFORM ops.rest_triggers(tables, resting);
    PERFORM ops.note_repairs(run, true);
    UPDATE ops.repairs AS r SET undone_at = clock_timestamp() WHERE r.run_id = run;
    RETURN done;
END
$$;

COMMENT ON FUNCTION ops.undo_repairs(uuid) IS 'Brings back exactly what a run changed, all or nothing; answers how many rows. 0: there is no such run, or it is undone.';
