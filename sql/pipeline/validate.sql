-- name: pipeline.validate :value
-- Validates an import: its profile column by column (type, nulls, distinct values, least, greatest and
-- most frequent values), and a finding in each row that is empty, there already, or holds a value
-- unlike the rest of its column. Rows without a finding are not written. Answers the rows that have one.
-- param: import_id uuid
-- param: project_id uuid
-- allow: seq_scan it reads every row of the import
WITH counted AS MATERIALIZED (
    SELECT e.key AS name, btrim(e.value, E' \t\r\n\u00a0') COLLATE "C" AS value, count(*) AS times
      FROM discovery.raw_records AS r
     CROSS JOIN LATERAL jsonb_each_text(r.raw) AS e
     WHERE r.tenant_id = :tenant_id
       AND r.project_id = :project_id
       AND r.data_import_id = :import_id
       AND e.key <> ''
       AND discovery.plain(e.value) IS NOT NULL
     GROUP BY e.key, btrim(e.value, E' \t\r\n\u00a0') COLLATE "C"
), kinds AS MATERIALIZED (
    SELECT c.name, c.value, c.times,
           CASE
           WHEN c.value ~ '^[-+]?[0-9]{1,18}$' THEN 'integer'
           WHEN c.value ~ '^[-+]?([0-9]{1,18}|[0-9]{1,3}(,[0-9]{3}){1,5})([.][0-9]{1,18})?$' THEN 'number'
           WHEN lower(c.value) IN ('yes', 'no', 'y', 'n', 'true', 'false', 't', 'f') THEN 'boolean'
           WHEN c.value ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ]|$)' OR c.value ~ '^[0-9]{1,2}[./][0-9]{1,2}[./][0-9]{4}$' THEN 'date'
           WHEN c.value ~ '^[0-9]{1,3}([.][0-9]{1,3}){3}$' OR c.value ~ '^[0-9a-fA-F]*:[0-9a-fA-F:.]*:[0-9a-fA-F:.]*$'
           THEN CASE WHEN pg_input_is_valid(c.value, 'inet') THEN 'ip' ELSE 'text' END
           WHEN strpos(c.value, '@') > 1 AND c.value ~ '^[^@\s]+@[^@\s]+[.][^@\s]+$' THEN 'email'
           WHEN c.value ~* '^[a-z][a-z0-9+.-]*://[^\s]+$' THEN 'url'
           WHEN strpos(c.value, '.') > 1 AND c.value ~* '^([a-z0-9_]([a-z0-9_-]*[a-z0-9_])?[.])+[a-z]{2,}[.]?$' THEN 'domain'
           ELSE 'text' END AS kind
      FROM counted AS c
), figures AS (
    SELECT k.name, sum(k.times) AS filled, count(*) AS distinct_values,
           coalesce(sum(k.times) FILTER (WHERE k.kind IN ('integer', 'number')), 0) AS numbers,
           min(k.value) AS least, max(k.value) AS greatest,
           min(replace(k.value, ',', '')::numeric) FILTER (WHERE k.kind IN ('integer', 'number')) AS least_number,
           max(replace(k.value, ',', '')::numeric) FILTER (WHERE k.kind IN ('integer', 'number')) AS greatest_number
      FROM kinds AS k
     GROUP BY k.name
), shares AS (
    SELECT k.name, k.kind, sum(k.times) AS times,
           row_number() OVER (PARTITION BY k.name ORDER BY sum(k.times) DESC, k.kind) AS place
      FROM kinds AS k
     GROUP BY k.name, k.kind
), types AS MATERIALIZED (
    SELECT f.name, f.filled, f.distinct_values, f.least, f.greatest, f.least_number, f.greatest_number,
           CASE WHEN s.kind NOT IN ('integer', 'number') AND s.times >= f.filled * 0.95 THEN s.kind
                WHEN s.kind = 'integer' AND s.times = f.numbers AND f.numbers >= f.filled * 0.95 THEN 'integer'
                WHEN f.numbers >= f.filled * 0.95 THEN 'number'
                ELSE 'text' END AS type
      FROM figures AS f
      JOIN shares AS s ON s.name = f.name AND s.place = 1
), samples AS MATERIALIZED (
    SELECT DISTINCT e.key AS name, btrim(e.value, E' \t\r\n\u00a0') COLLATE "C" AS value
      FROM discovery.raw_records AS r
     CROSS JOIN LATERAL jsonb_each_text(r.raw) AS e
     WHERE r.tenant_id = :tenant_id
       AND r.project_id = :project_id
       AND r.data_import_id = :import_id
       AND r.row_number <= 20
), ranked AS (
    SELECT k.name, left(k.value, 255) AS value, k.times,
           row_number() OVER (PARTITION BY k.name ORDER BY k.times DESC, k.value) AS place
      FROM kinds AS k
     WHERE k.times > 1
        OR (k.name, k.value) IN (SELECT s.name, s.value FROM samples AS s)
), top AS (
    SELECT r.name, jsonb_agg(jsonb_build_object('value', r.value, 'count', r.times) ORDER BY r.place) AS top_values
      FROM ranked AS r
     WHERE r.place <= 10
     GROUP BY r.name
), odd AS MATERIALIZED (
    SELECT k.name, k.value, t.type
      FROM kinds AS k
      JOIN types AS t ON t.name = k.name
     WHERE t.type <> 'text'
       AND k.kind <> t.type
       AND NOT (t.type = 'number' AND k.kind = 'integer')
), odd_columns AS MATERIALIZED (
    SELECT DISTINCT o.name
      FROM odd AS o
), found AS (
    SELECT r.id,
           jsonb_build_object('phase', 'validation', 'code', 'unlike_column', 'field', o.name, 'expected', o.type,
                              'value', left(o.value, 255)) AS finding
      FROM (SELECT r.id, c.name, btrim(r.raw ->> c.name, E' \t\r\n\u00a0') COLLATE "C" AS value
              FROM discovery.raw_records AS r
             CROSS JOIN odd_columns AS c
             WHERE r.tenant_id = :tenant_id
               AND r.project_id = :project_id
               AND r.data_import_id = :import_id
            OFFSET 0) AS r  -- else all rows would be held against all odd values
      JOIN odd AS o ON o.name = r.name AND o.value = r.value
     UNION ALL
    SELECT d.id, jsonb_build_object('phase', 'validation', 'code', 'duplicate_row', 'field', NULL, 'row_number', d.first_row)
      FROM (SELECT r.id, r.row_number,
                   min(r.row_number) OVER (PARTITION BY jsonb_hash_extended(r.raw, 0), md5(r.raw::text)) AS first_row
              FROM discovery.raw_records AS r
             WHERE r.tenant_id = :tenant_id
               AND r.project_id = :project_id
               AND r.data_import_id = :import_id) AS d
     WHERE d.row_number > d.first_row
     UNION ALL
    SELECT r.id, jsonb_build_object('phase', 'validation', 'code', 'empty_row', 'field', NULL)
      FROM discovery.raw_records AS r
     WHERE r.tenant_id = :tenant_id
       AND r.project_id = :project_id
       AND r.data_import_id = :import_id
       AND NOT EXISTS (SELECT FROM jsonb_each_text(r.raw) AS e
                        WHERE discovery.plain(e.value) IS NOT NULL)
), by_row AS MATERIALIZED (
    SELECT f.id, jsonb_agg(f.finding ORDER BY f.finding ->> 'code', f.finding ->> 'field') AS findings
      FROM found AS f
     GROUP BY f.id
), noted AS (
    UPDATE discovery.raw_records AS r
       SET findings = jsonb_path_query_array(r.findings, '$[*] ? (!(@.phase == "validation"))') || b.findings
      FROM by_row AS b
     WHERE r.tenant_id = :tenant_id
       AND r.project_id = :project_id
       AND r.id = b.id
), codes AS (
    SELECT n.code, count(*) AS rows
      FROM (SELECT DISTINCT b.id, f.finding ->> 'code' AS code
              FROM by_row AS b
             CROSS JOIN LATERAL jsonb_array_elements(b.findings) AS f (finding)
             UNION ALL
            SELECT r.id, f.finding ->> 'code' AS code
              FROM discovery.raw_records AS r
             CROSS JOIN LATERAL jsonb_array_elements(r.findings) AS f (finding)
             WHERE r.tenant_id = :tenant_id
               AND r.project_id = :project_id
               AND r.data_import_id = :import_id
               AND r.findings <> '[]'
               AND f.finding ->> 'phase' IS DISTINCT FROM 'validation') AS n
     GROUP BY n.code
), profiled AS (
    UPDATE discovery.data_imports AS i
       SET status = CASE WHEN i.status = 'loaded' THEN 'validated' ELSE i.status END,
           profile = jsonb_build_object(
               'rows', i.loaded_rows,
               'findings', (SELECT coalesce(jsonb_object_agg(c.code, c.rows), '{}') FROM codes AS c),
               'columns', (SELECT coalesce(jsonb_agg(jsonb_build_object(
                                      'name', h.name, 'place', h.place, 'type', coalesce(t.type, 'empty'),
                                      'nulls', i.loaded_rows - coalesce(t.filled, 0),
                                      'distinct', coalesce(t.distinct_values, 0),
                                      'min', CASE WHEN t.type IN ('integer', 'number') THEN t.least_number::text ELSE left(t.least, 255) END,
                                      'max', CASE WHEN t.type IN ('integer', 'number') THEN t.greatest_number::text ELSE left(t.greatest, 255) END,
                                      'top', coalesce(p.top_values, '[]')) ORDER BY h.place), '[]')
                             FROM jsonb_array_elements_text(i.header) WITH ORDINALITY AS h (name, place)
                             LEFT JOIN types AS t ON t.name = h.name
                             LEFT JOIN top AS p ON p.name = h.name))
     WHERE i.tenant_id = :tenant_id
       AND i.project_id = :project_id
       AND i.id = :import_id
    RETURNING i.id
)
SELECT (SELECT count(*) FROM by_row) AS rows_with_findings
  FROM profiled
