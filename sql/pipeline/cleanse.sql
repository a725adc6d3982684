-- name: pipeline.cleanse :affected
-- What the rows of an import say, as fields of assets: blank words are nothing; types, units, dates,
-- addresses and yes or no in one spelling each. Each change is a finding; the row itself stays. A type that
-- nobody knows is told by what the row has: a domain where that is a full name alone, else something other.
-- param: import_id uuid
-- param: project_id uuid
-- param: category text           of the import; tells the type of rows that tell none
WITH words AS MATERIALIZED (
    SELECT jsonb_object_agg(s.synonym, s.asset_type) AS types
      FROM discovery.type_synonyms AS s
), fields AS MATERIALIZED (
    SELECT coalesce(jsonb_object_agg(m.source_field, jsonb_build_array(
               m.target_field, m.transformation,
               substring(lower(m.source_field) FROM '(?:^|[^a-z])([kmgtp])i?b(?:[^a-z]|$)'))), '{}') AS by_source
      FROM discovery.field_mappings AS m
     WHERE m.tenant_id = :tenant_id
       AND m.project_id = :project_id
       AND m.data_import_id = :import_id
       AND m.status = 'approved'
)
UPDATE discovery.raw_records AS r
   SET (cleansed, findings) = (
       SELECT jsonb_build_object('asset_type', CASE
                  WHEN c.is_odd AND (c.known ?| ARRAY['hostname', 'ip', 'os'] OR NOT c.known ? 'fqdn') THEN 'other'
                  WHEN c.known ? 'hostname' OR c.known ? 'ip' OR c.known ? 'os' THEN 'server'
                  WHEN c.known ? 'fqdn' THEN 'domain'
                  WHEN c.known ? 'application' OR :category = 'app_discovery' THEN 'application'
                  WHEN :category = 'infrastructure' THEN 'server'
                  ELSE 'other' END) || c.known || jsonb_build_object('custom', c.custom),
              jsonb_path_query_array(r.findings, '$[*] ? (!(@.phase == "cleansing"))') || c.changes
         FROM (
           SELECT coalesce(jsonb_object_agg(f.target, f.clean) FILTER (WHERE f.target <> 'custom' AND f.clean IS NOT NULL), '{}') AS known,
                  coalesce(jsonb_object_agg(f.key, f.clean) FILTER (WHERE f.target = 'custom' AND f.clean IS NOT NULL), '{}') AS custom,
                  coalesce(jsonb_agg(jsonb_build_object(
                               'phase', 'cleansing', 'field', f.key, 'target', f.target,
                               'code', CASE WHEN f.plain IS NULL THEN 'blank' WHEN f.clean IS NULL THEN 'unreadable' ELSE 'changed' END,
                               'from', f.was, 'to', f.clean) ORDER BY f.key)
                           FILTER (WHERE f.was <> '' AND f.clean IS DISTINCT FROM f.was), '[]') AS changes,
                  bool_or(f.target = 'asset_type' AND f.plain IS NOT NULL AND f.clean IS NULL) AS is_odd
             FROM (
               SELECT e.key, e.value AS was, t.target, p.plain,
                      CASE
                      WHEN p.plain IS NULL THEN NULL
                      WHEN t.target = 'custom' THEN CASE t.form
                           WHEN 'boolean' THEN CASE
                                WHEN lower(p.plain) IN ('yes', 'y', 'true', 't', '1', 'on', 'enabled') THEN 'true'
                                WHEN lower(p.plain) IN ('no', 'n', 'false', 'f', '0', 'off', 'disabled') THEN 'false'
                                ELSE p.plain END
                           WHEN 'date' THEN coalesce((
                                SELECT d.day
                                  FROM (SELECT CASE
                                               WHEN p.plain ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}' THEN left(p.plain, 10)
                                               WHEN p.plain ~ '^[0-9]{4}/[0-9]{2}/[0-9]{2}$' THEN replace(p.plain, '/', '-')
                                               WHEN p.plain ~ '^[0-9]{8}$' THEN concat_ws('-', left(p.plain, 4), substr(p.plain, 5, 2), substr(p.plain, 7, 2))
                                               WHEN p.plain ~ '^[0-9]{1,2}[.][0-9]{1,2}[.][0-9]{4}$' THEN concat_ws('-', split_part(p.plain, '.', 3), lpad(split_part(p.plain, '.', 2), 2, '0'), lpad(split_part(p.plain, '.', 1), 2, '0'))
                                               WHEN p.plain ~ '^(1[3-9]|[23][0-9])/[0-9]{1,2}/[0-9]{4}$' THEN concat_ws('-', split_part(p.plain, '/', 3), lpad(split_part(p.plain, '/', 2), 2, '0'), split_part(p.plain, '/', 1))
                                               WHEN p.plain ~ '^[0-9]{1,2}/[0-9]{1,2}/[0-9]{4}$' THEN concat_ws('-', split_part(p.plain, '/', 3), lpad(split_part(p.plain, '/', 1), 2, '0'), lpad(split_part(p.plain, '/', 2), 2, '0'))
                                               END AS day) AS d
                                 WHERE pg_input_is_valid(d.day, 'date')), p.plain)
                           WHEN 'lower' THEN lower(p.plain)
                           WHEN 'upper' THEN upper(p.plain)
                           ELSE p.plain END
                      WHEN t.target = 'asset_type' THEN coalesce(
                           (SELECT w.types FROM words AS w) ->> lower(regexp_replace(p.plain, '[_\s-]+', ' ', 'g')),
                           (SELECT w.types FROM words AS w) ->> lower(p.plain))
                      WHEN t.target IN ('hostname', 'fqdn') THEN (
                           SELECT CASE WHEN h.host ~ '^[a-z0-9_*][a-z0-9_.*-]*$' AND char_length(h.host) <= 255
                                        AND right(h.host, 1) <> '-' THEN h.host END
                             FROM (SELECT rtrim(CASE WHEN p.plain ~ '[/:?#]' THEN regexp_replace(lower(p.plain), '^[a-z]+://|[/:?#].*$', '', 'g')
                                                     ELSE lower(p.plain) END, '.') AS host OFFSET 0) AS h)
                      WHEN t.target = 'ip' THEN (
                           SELECT CASE WHEN pg_input_is_valid(a.address, 'inet') THEN host(a.address::inet) END
                             FROM (SELECT split_part(regexp_replace(p.plain, '[,;|\s].*$', ''), '%', 1) AS address OFFSET 0) AS a)
                      WHEN t.target = 'environment' THEN CASE
                           WHEN lower(p.plain) IN ('production', 'prod', 'prd', 'live', 'produktion', 'p') THEN 'production'
                           WHEN lower(p.plain) IN ('staging', 'stage', 'stg', 'preprod', 'pre-prod', 'pre-production', 'preproduction') THEN 'staging'
                           WHEN lower(p.plain) IN ('test', 'testing', 'tst', 'qa', 'uat', 'sit', 'quality', 'acceptance', 't') THEN 'test'
                           WHEN lower(p.plain) IN ('development', 'dev', 'develop', 'sandbox', 'sbx', 'entwicklung', 'd') THEN 'development'
                           WHEN lower(p.plain) IN ('disaster recovery', 'disaster_recovery', 'dr', 'bcp', 'failover') THEN 'disaster_recovery'
                           ELSE 'other' END
                      WHEN t.target = 'criticality' THEN CASE
                           WHEN lower(p.plain) IN ('critical', 'mission critical', 'mission-critical', 'business critical', 'very high', 'tier 0', 'tier 1', 'tier1', 'p1', '1', 'c1', 'platinum', 'gold') THEN 'critical'
                           WHEN lower(p.plain) IN ('high', 'important', 'major', 'tier 2', 'tier2', 'p2', '2', 'c2', 'silver') THEN 'high'
                           WHEN lower(p.plain) IN ('medium', 'med', 'moderate', 'normal', 'standard', 'tier 3', 'tier3', 'p3', '3', 'c3', 'bronze') THEN 'medium'
                           WHEN lower(p.plain) IN ('low', 'minor', 'non-critical', 'tier 4', 'tier4', 'p4', '4', 'c4') THEN 'low' END
                      WHEN t.target IN ('memory_gb', 'storage_gb') THEN (
                           SELECT CASE WHEN n.unit ~ '^([kmgtp](i?b(ytes?)?)?)?$' AND char_length(n.amount) <= 20
                                        AND n.amount::numeric * n.factor < 1e11
                                       THEN trim_scale(round(n.amount::numeric * n.factor, 3))::text END
                             FROM (SELECT a.amount, u.unit,
                                          CASE coalesce(nullif(left(u.unit, 1), ''), t.unit, 'g')
                                          WHEN 'k' THEN 1 / 1048576.0 WHEN 'm' THEN 1 / 1024.0 WHEN 't' THEN 1024
                                          WHEN 'p' THEN 1048576 ELSE 1 END AS factor
                                     FROM (SELECT CASE WHEN strpos(p.plain, ',') = 0 THEN p.plain
                                                       WHEN p.plain ~ '^[0-9]{1,3}(,[0-9]{3})+([^0-9,]|$)' THEN replace(p.plain, ',', '')
                                                       ELSE replace(p.plain, ',', '.') END AS words OFFSET 0) AS w
                                    CROSS JOIN LATERAL (SELECT substring(w.words FROM '^[0-9]+(?:[.][0-9]+)?') AS amount OFFSET 0) AS a
                                    CROSS JOIN LATERAL (SELECT lower(ltrim(substr(w.words, char_length(a.amount) + 1))) AS unit OFFSET 0) AS u) AS n)
                      WHEN t.target = 'cpu' THEN (
                           SELECT CASE WHEN lower(ltrim(substr(a.words, char_length(a.amount) + 1))) ~ '^(v?cpus?|cores?|x)?$'
                                        AND char_length(a.amount) <= 20 AND a.amount::numeric < 1e8
                                       THEN trim_scale(round(a.amount::numeric, 2))::text END
                             FROM (SELECT w.words, substring(w.words FROM '^[0-9]+(?:[.][0-9]+)?') AS amount
                                     FROM (SELECT replace(p.plain, ',', '.') AS words OFFSET 0) AS w OFFSET 0) AS a)
                      WHEN t.target = 'cost' THEN (
                           SELECT CASE WHEN l.place <= 5 AND strpos(left(a.words, l.place - 1), '-') = 0
                                        AND substr(a.words, l.place + char_length(a.amount)) ~ '^\D{0,5}$'
                                        AND char_length(a.amount) <= 25 AND a.amount::numeric < 1e14
                                       THEN trim_scale(round(a.amount::numeric, 2))::text END
                             FROM (SELECT w.words, substring(w.words FROM '[0-9]+(?:[.][0-9]+)?') AS amount
                                     FROM (SELECT CASE WHEN strpos(p.plain, ',') = 0 THEN p.plain
                                                       WHEN p.plain ~ '[.][0-9]{3},|^[^.]*,[0-9]{1,2}\D*$' THEN translate(replace(p.plain, '.', ''), ',', '.')
                                                       ELSE replace(p.plain, ',', '') END AS words OFFSET 0) AS w OFFSET 0) AS a
                            CROSS JOIN LATERAL (SELECT strpos(a.words, a.amount) AS place OFFSET 0) AS l)
                      WHEN t.target = 'dependencies' THEN (
                           SELECT string_agg(d.name, ', ' ORDER BY d.place)
                             FROM (SELECT left(discovery.plain(x.part), 255) AS name, min(x.place) AS place
                                     FROM string_to_table(translate(p.plain, E';|\n', ',,,'), ',') WITH ORDINALITY AS x (part, place)
                                    WHERE discovery.plain(x.part) IS NOT NULL
                                    GROUP BY 1) AS d)
                      WHEN t.target IN ('location', 'technology_stack') THEN left(p.plain, 1000)
                      WHEN p.plain ~ '\s\s|[^\S ]' THEN rtrim(left(regexp_replace(p.plain, '\s+', ' ', 'g'), 255))
                      ELSE rtrim(left(p.plain, 255)) END AS clean
                 FROM jsonb_each_text(r.raw) AS e
                CROSS JOIN LATERAL (
                      SELECT coalesce((SELECT m.by_source FROM fields AS m) -> e.key ->> 0, 'custom') AS target,
                             (SELECT m.by_source FROM fields AS m) -> e.key ->> 1 AS form,
                             (SELECT m.by_source FROM fields AS m) -> e.key ->> 2 AS unit OFFSET 0) AS t
                CROSS JOIN LATERAL (
                      SELECT discovery.plain(e.value) AS plain OFFSET 0) AS p
               OFFSET 0  -- else each use of `clean` would cleanse anew
             ) AS f
         ) AS c)
 WHERE r.tenant_id = :tenant_id
   AND r.project_id = :project_id
   AND r.data_import_id = :import_id
   AND r.outcome = 'pending'
