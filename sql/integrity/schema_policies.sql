-- name: integrity.schema_policies :many
-- Row-level security: tables without it or not forced, and policies that are not as declared.
-- param: declared jsonb   migrations/catalog.json
-- null: table_name, tenant_id, row_id, declared, live
WITH live AS (
    SELECT concat(n.nspname, '.', c.relname) AS table_name, p.polname::text AS name,
           concat(CASE WHEN p.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END, ' FOR ', p.polcmd, ' TO ',
                  (SELECT string_agg(r.rolname, ', ' ORDER BY r.rolname) FROM pg_catalog.pg_roles AS r WHERE r.oid = ANY (p.polroles)),
                  ' USING ' || pg_get_expr(p.polqual, p.polrelid), ' CHECK ' || pg_get_expr(p.polwithcheck, p.polrelid)) AS definition
      FROM pg_catalog.pg_policy AS p
      JOIN pg_catalog.pg_class AS c ON c.oid = p.polrelid
      JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
     WHERE n.nspname IN ('core', 'audit', 'workspace', 'cases', 'discovery', 'assistant', 'ops')
       AND NOT c.relispartition
     UNION ALL
    SELECT concat(n.nspname, '.', c.relname) AS table_name, 'row-level security' AS name,
           concat(CASE WHEN c.relrowsecurity THEN 'enabled' ELSE 'disabled' END, ', ',
                  CASE WHEN c.relforcerowsecurity THEN 'forced' ELSE 'not forced' END) AS definition
      FROM pg_catalog.pg_class AS c
      JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p')
       AND n.nspname IN ('core', 'audit', 'workspace', 'cases', 'discovery', 'assistant', 'ops')
       AND NOT c.relispartition
), declared AS (
    SELECT d.table_name, d.name, d.definition
      FROM jsonb_to_recordset(:declared::jsonb) AS d (kind text, table_name text, name text, definition text)
     WHERE d.kind = 'policy'
), differing AS (
    SELECT coalesce(d.table_name, l.table_name) AS table_name, coalesce(d.name, l.name) AS name,
           d.definition AS declared, l.definition AS live
      FROM declared AS d
      FULL JOIN live AS l ON l.table_name = d.table_name AND l.name = d.name
     WHERE d.definition IS DISTINCT FROM l.definition
)
SELECT 'schema_policies' AS check_name, x.table_name, 'policy' AS kind, NULL::uuid AS tenant_id, NULL::uuid AS row_id,
       concat(x.name, CASE WHEN x.live IS NULL THEN ' is gone; declared: ' || x.declared
                           WHEN x.declared IS NULL THEN ' is in no migration: ' || x.live
                           ELSE ' is ' || x.live || '; declared: ' || x.declared END) AS detail,
       count(*) OVER (PARTITION BY x.table_name) AS count, x.name AS object, x.declared, x.live
  FROM differing AS x
 ORDER BY x.table_name, x.name
