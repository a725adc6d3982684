-- The schema as its readers want it: one row, `tables` and `functions` as JSON arrays. What belongs
-- to an extension or to PostgreSQL itself is left out, and so are partitions, which are counted.
WITH relations AS (
    SELECT c.oid, n.nspname || '.' || c.relname AS name, c.relkind, c.reltuples, c.relrowsecurity, c.relforcerowsecurity,
           EXISTS (SELECT FROM pg_options_to_table(c.reloptions) AS o
                    WHERE o.option_name = 'security_invoker' AND o.option_value::boolean) AS security_invoker
      FROM pg_catalog.pg_class AS c
      JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
       AND NOT c.relispartition
       AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS d
                        WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
), described AS (
    SELECT r.name,
           CASE r.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'partitioned table' WHEN 'v' THEN 'view'
                          WHEN 'm' THEN 'materialized view' ELSE 'foreign table' END AS kind,
           obj_description(r.oid, 'pg_class') AS comment,
           parts.number AS partitions,
           CASE WHEN r.relkind = 'p' THEN parts.tuples ELSE r.reltuples END AS rows,
           CASE WHEN r.relkind = 'p' THEN parts.bytes ELSE pg_total_relation_size(r.oid) END AS bytes,
           r.relrowsecurity AS row_security,
           r.relforcerowsecurity AS row_security_forced,
           r.security_invoker,
           (SELECT json_agg(json_build_object(
                       'name', a.attname, 'type', format_type(a.atttypid, a.atttypmod), 'not_null', a.attnotnull,
                       'default', pg_get_expr(d.adbin, d.adrelid), 'generated', a.attgenerated <> '',
                       'comment', col_description(r.oid, a.attnum)) ORDER BY a.attnum)
              FROM pg_catalog.pg_attribute AS a
              LEFT JOIN pg_catalog.pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
             WHERE a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns,
           (SELECT json_agg(json_build_object('name', k.conname, 'definition', pg_get_constraintdef(k.oid)) ORDER BY k.contype DESC, k.conname)
              FROM pg_catalog.pg_constraint AS k
             WHERE k.conrelid = r.oid AND k.contype <> 'n' AND k.conparentid = 0) AS constraints,
           (SELECT json_agg(json_build_object('name', k.conname, 'table', n.nspname || '.' || o.relname) ORDER BY n.nspname, o.relname, k.conname)
              FROM pg_catalog.pg_constraint AS k
              JOIN pg_catalog.pg_class AS o ON o.oid = k.conrelid
              JOIN pg_catalog.pg_namespace AS n ON n.oid = o.relnamespace
             WHERE k.confrelid = r.oid AND k.contype = 'f' AND k.conparentid = 0) AS referenced_by,
           (SELECT json_agg(json_build_object(
                       'name', i.relname, 'definition', pg_get_indexdef(x.indexrelid), 'valid', x.indisvalid,
                       'bytes', coalesce((SELECT sum(pg_relation_size(t.relid)) FROM pg_partition_tree(x.indexrelid) AS t WHERE t.isleaf),
                                         pg_relation_size(x.indexrelid))
                   ) ORDER BY x.indisprimary DESC, i.relname)
              FROM pg_catalog.pg_index AS x
              JOIN pg_catalog.pg_class AS i ON i.oid = x.indexrelid
             WHERE x.indrelid = r.oid) AS indexes,
           (SELECT json_agg(json_build_object(
                       'name', p.policyname, 'command', p.cmd, 'permissive', p.permissive, 'roles', p.roles,
                       'using', p.qual, 'check', p.with_check) ORDER BY p.policyname)
              FROM pg_catalog.pg_policies AS p
             WHERE p.schemaname || '.' || p.tablename = r.name) AS policies,
           (SELECT json_agg(json_build_object('name', t.tgname, 'definition', pg_get_triggerdef(t.oid),
                                              'function', f.pronamespace::regnamespace || '.' || f.proname) ORDER BY t.tgname)
              FROM pg_catalog.pg_trigger AS t
              JOIN pg_catalog.pg_proc AS f ON f.oid = t.tgfoid
             WHERE t.tgrelid = r.oid AND NOT t.tgisinternal) AS triggers,
           CASE WHEN r.relkind IN ('v', 'm') THEN pg_get_viewdef(r.oid) END AS definition
      FROM relations AS r
     CROSS JOIN LATERAL
           (SELECT count(*) FILTER (WHERE t.level > 0) AS number,
                   coalesce(sum(pg_total_relation_size(t.relid)), 0) AS bytes,
                   coalesce(sum(greatest(c.reltuples, 0)) FILTER (WHERE t.isleaf), 0) AS tuples
              FROM pg_partition_tree(r.oid) AS t
              JOIN pg_catalog.pg_class AS c ON c.oid = t.relid) AS parts
), routines AS (
    SELECT p.pronamespace::regnamespace || '.' || p.proname AS name,
           pg_get_function_identity_arguments(p.oid) AS arguments,
           pg_get_function_result(p.oid) AS result,
           l.lanname AS language,
           p.prosecdef AS definer,
           obj_description(p.oid, 'pg_proc') AS comment,
           coalesce(pg_get_function_sqlbody(p.oid), p.prosrc) AS body
      FROM pg_catalog.pg_proc AS p
      JOIN pg_catalog.pg_language AS l ON l.oid = p.prolang
     WHERE p.pronamespace::regnamespace::text NOT IN ('pg_catalog', 'information_schema')
       AND p.prokind IN ('f', 'p')
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS d
                        WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
)
SELECT coalesce((SELECT json_agg(d ORDER BY d.name) FROM described AS d), '[]'),
       coalesce((SELECT json_agg(r ORDER BY r.name, r.arguments) FROM routines AS r), '[]'),
       current_database()::text,
       current_setting('server_version')
