-- name: pipeline.outcomes :value
-- What has become of the rows of an import, in numbers.
-- param: import_id uuid
-- param: project_id uuid
SELECT coalesce(jsonb_object_agg(o.outcome, o.rows), '{}') AS outcomes
  FROM (SELECT r.outcome, count(*) AS rows
          FROM discovery.raw_records AS r
         WHERE r.tenant_id = :tenant_id
           AND r.project_id = :project_id
           AND r.data_import_id = :import_id
         GROUP BY r.outcome) AS o
