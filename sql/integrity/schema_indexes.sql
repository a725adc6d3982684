-- name: integrity.schema_indexes :many
-- Indexes that are gone, changed, invalid, or in no migration.
-- param: declared jsonb   migrations/catalog.json
-- null: table_name, tenant_id, row_id, declared, live
WITH live AS (
    SELECT concat(n.nspname, '.', c.relname) AS table_name, x.relname::text AS name,
           concat(pg_get_indexdef(i.indexrelid), CASE WHEN NOT (i.indisvalid AND i.indisready) THEN ' but invalid' END) AS definition
      FROM pg_catalog.pg_index AS i
      JOIN pg_catalog.pg_class AS x ON x.oid = i.indexrelid
      JOIN pg_catalog.pg_class AS c ON c.oid = i.indrelid
      JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p')
       AND n.nspname IN ('core', 'audit', 'workspace', 'cases', 'discovery', 'assistant', 'ops')
       AND NOT c.relispartition
), declared AS (
    SELECT d.table_name, d.name, d.definition
      FROM jsonb_to_recordset(:declared::jsonb) AS d (kind text, table_name text, name text, definition text)
     WHERE d.kind = 'index'
), differing AS (
    SELECT coalesce(d.table_name, l.table_name) AS table_name, coalesce(d.name, l.name) AS name,
           d.definition AS declared, l.definition AS live
      FROM declared AS d
      FULL JOIN live AS l ON l.table_name = d.table_name AND l.name = d.name
     WHERE d.definition IS DISTINCT FROM l.definition
)
SELECT 'schema_indexes' AS check_name, x.table_name, 'index' AS kind, NULL::uuid AS tenant_id, NULL::uuid AS row_id,
       concat(x.name, CASE WHEN x.live IS NULL THEN ' is gone; declared: ' || x.declared
                           WHEN x.declared IS NULL THEN ' is in no migration: ' || x.live
                           ELSE ' is ' || x.live || '; declared: ' || x.declared END) AS detail,
       count(*) OVER (PARTITION BY x.table_name) AS count, x.name AS object, x.declared, x.live
  FROM differing AS x
 ORDER BY x.table_name, x.name
