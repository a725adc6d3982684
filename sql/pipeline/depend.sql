-- name: pipeline.depend :affected
-- What the assets of an import need, one by one, with the live asset of that name, hostname or fqdn.
-- param: import_id uuid
-- param: project_id uuid
WITH touched AS (
    SELECT DISTINCT r.asset_id AS id
      FROM discovery.raw_records AS r
     WHERE r.tenant_id = :tenant_id
       AND r.project_id = :project_id
       AND r.data_import_id = :import_id
       AND r.outcome IN ('asset', 'merged')
), needed AS MATERIALIZED (
    SELECT DISTINCT a.id, lower(d.name) AS name
      FROM touched AS t
      JOIN discovery.assets AS a ON a.tenant_id = :tenant_id AND a.project_id = :project_id AND a.id = t.id
     CROSS JOIN LATERAL unnest(a.dependencies) AS d (name)
     WHERE a.deleted_at IS NULL
       AND d.name <> ''
), called AS (
    SELECT lower(n.name) AS name, min(a.id::text)::uuid AS id
      FROM discovery.assets AS a
     CROSS JOIN LATERAL (VALUES (a.name), (a.hostname), (a.fqdn)) AS n (name)
     WHERE a.tenant_id = :tenant_id
       AND a.project_id = :project_id
       AND a.deleted_at IS NULL
       AND n.name IS NOT NULL
     GROUP BY lower(n.name)
)
INSERT INTO discovery.asset_dependencies AS d (tenant_id, project_id, asset_id, depends_on_id, target_name)
SELECT :tenant_id, :project_id, n.id, CASE WHEN c.id <> n.id THEN c.id END, n.name
  FROM needed AS n
  LEFT JOIN called AS c ON c.name = n.name
 ORDER BY n.id, n.name
    ON CONFLICT (tenant_id, project_id, asset_id, target_name) DO UPDATE
   SET depends_on_id = excluded.depends_on_id
 WHERE d.depends_on_id IS DISTINCT FROM excluded.depends_on_id
