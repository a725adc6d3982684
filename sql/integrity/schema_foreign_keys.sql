-- name: integrity.schema_foreign_keys :many
-- Foreign keys and their delete rules that are not as declared, or not kept.
-- param: declared jsonb   migrations/catalog.json
-- null: table_name, tenant_id, row_id, declared, live
WITH live AS (
    SELECT concat(n.nspname, '.', c.relname) AS table_name, k.conname::text AS name,
           concat(pg_get_constraintdef(k.oid),
                  CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_trigger AS g
                                     WHERE g.tgconstraint = k.oid AND g.tgenabled <> 'O') THEN ' but not kept: its triggers are disabled' END) AS definition
      FROM pg_catalog.pg_constraint AS k
      JOIN pg_catalog.pg_class AS c ON c.oid = k.conrelid
      JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
     WHERE k.contype = 'f'
       AND k.conparentid = 0
       AND n.nspname IN ('core', 'audit', 'workspace', 'cases', 'discovery', 'assistant', 'ops')
       AND NOT c.relispartition
), declared AS (
    SELECT d.table_name, d.name, d.definition
      FROM jsonb_to_recordset(:declared::jsonb) AS d (kind text, table_name text, name text, definition text)
     WHERE d.kind = 'foreign key'
), differing AS (
    SELECT coalesce(d.table_name, l.table_name) AS table_name, coalesce(d.name, l.name) AS name,
           d.definition AS declared, l.definition AS live
      FROM declared AS d
      FULL JOIN live AS l ON l.table_name = d.table_name AND l.name = d.name
     WHERE d.definition IS DISTINCT FROM l.definition
)
SELECT 'schema_foreign_keys' AS check_name, x.table_name, 'foreign key' AS kind, NULL::uuid AS tenant_id, NULL::uuid AS row_id,
       concat(x.name, CASE WHEN x.live IS NULL THEN ' is gone; declared: ' || x.declared
                           WHEN x.declared IS NULL THEN ' is in no migration: ' || x.live
                           ELSE ' is ' || x.live || '; declared: ' || x.declared END) AS detail,
       count(*) OVER (PARTITION BY x.table_name) AS count, x.name AS object, x.declared, x.live
  FROM differing AS x
 ORDER BY x.table_name, x.name
