-- name: pipeline.assess :affected
-- The technical debt of the assets of an import: what stands against each, and a score of 0 to 100.
-- param: import_id uuid
-- param: project_id uuid
WITH touched AS (
    SELECT DISTINCT r.asset_id AS id
      FROM discovery.raw_records AS r
     WHERE r.tenant_id = :tenant_id
       AND r.project_id = :project_id
       AND r.data_import_id = :import_id
       AND r.outcome IN ('asset', 'merged')
), systems AS (
    SELECT DISTINCT a.os, a.os_version
      FROM discovery.assets AS a
     WHERE a.tenant_id = :tenant_id
       AND a.project_id = :project_id
       AND a.os IS NOT NULL
), ended AS MATERIALIZED (
    SELECT s.os, s.os_version, (
           SELECT e.end_of_life
             FROM discovery.os_end_of_life AS e
            CROSS JOIN LATERAL (SELECT replace(replace(lower(concat_ws(' ', s.os, s.os_version)), 'rhel', 'red hat enterprise linux'), 'sles', 'suse linux enterprise server') AS words) AS w
            WHERE starts_with(w.words, e.family)
              AND concat(' ', translate(substr(w.words, char_length(e.family) + 1), '-_()', '    '), ' ') ~ concat('\s', replace(e.version, '.', '[.]'), '[\s.]')
            ORDER BY char_length(e.family) DESC, char_length(e.version) DESC
            LIMIT 1) AS end_of_life
      FROM systems AS s
), judged AS (
    SELECT a.id, e.end_of_life, array_remove(ARRAY[
           CASE WHEN e.end_of_life < current_date THEN 'os_end_of_life' END,
           CASE WHEN e.end_of_life >= current_date AND e.end_of_life < current_date + 365 THEN 'os_ends_within_a_year' END,
           CASE WHEN a.asset_type = 'server' AND a.os IS NULL THEN 'os_unknown' END,
           CASE WHEN a.business_owner IS NULL AND a.technical_owner IS NULL AND a.department IS NULL THEN 'no_owner' END,
           CASE WHEN a.environment IS NULL THEN 'environment_unknown' END,
           CASE WHEN a.criticality IN ('critical', 'high') AND e.end_of_life < current_date THEN 'critical_and_unsupported' END], NULL) AS reasons
      FROM touched AS t
      JOIN discovery.assets AS a ON a.tenant_id = :tenant_id AND a.project_id = :project_id AND a.id = t.id
      LEFT JOIN ended AS e ON e.os = a.os AND coalesce(e.os_version, '') = coalesce(a.os_version, '')
     WHERE a.deleted_at IS NULL
), scored AS (
    SELECT j.id, j.end_of_life, to_jsonb(j.reasons) AS reasons,
           least(100, 50 * ('os_end_of_life' = ANY (j.reasons))::int + 20 * ('os_ends_within_a_year' = ANY (j.reasons))::int
                      + 20 * ('os_unknown' = ANY (j.reasons))::int + 15 * ('no_owner' = ANY (j.reasons))::int
                      + 5 * ('environment_unknown' = ANY (j.reasons))::int
                      + 30 * ('critical_and_unsupported' = ANY (j.reasons))::int) AS score
      FROM judged AS j
)
UPDATE discovery.assets AS a
   SET end_of_life = s.end_of_life, debt_score = s.score, debt_findings = s.reasons
  FROM scored AS s
 WHERE a.tenant_id = :tenant_id
   AND a.project_id = :project_id
   AND a.id = s.id
   AND (a.end_of_life, a.debt_score, a.debt_findings) IS DISTINCT FROM (s.end_of_life, s.score, s.reasons)
