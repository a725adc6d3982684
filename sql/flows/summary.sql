-- name: flows.summary :one
-- A flow of a live project in numbers: its phases, what became of its rows, its assets by type and status.
-- param: project_id uuid
-- param: flow_id uuid
-- null: by_phase
-- budget: 1000 buffers
SELECT f.id, f.status, f.current_phase, f.progress, i.loaded_rows, d.phases AS by_phase,
       (SELECT json_object_agg(o.name, coalesce(n.rows, 0))
          FROM unnest(ARRAY['pending', 'asset', 'merged', 'conflict', 'rejected', 'skipped']) AS o (name)
          LEFT JOIN (SELECT r.outcome, count(*) AS rows
                       FROM discovery.raw_records AS r
                      WHERE r.tenant_id = :tenant_id
                        AND r.project_id = :project_id
                        AND r.data_import_id = d.data_import_id
                      GROUP BY r.outcome) AS n ON n.outcome = o.name) AS by_outcome,
       b.by_type, b.by_status
  FROM discovery.master_flows AS f
  JOIN discovery.discovery_flows AS d
    ON d.tenant_id = :tenant_id
   AND d.project_id = :project_id
   AND d.master_flow_id = f.id
  JOIN discovery.data_imports AS i
    ON i.tenant_id = :tenant_id
   AND i.project_id = :project_id
   AND i.id = d.data_import_id
 CROSS JOIN LATERAL (
       SELECT coalesce(json_object_agg(g.asset_type, g.assets) FILTER (WHERE g.asset_type IS NOT NULL), '{}') AS by_type,
              coalesce(json_object_agg(g.status, g.assets) FILTER (WHERE g.status IS NOT NULL), '{}') AS by_status
         FROM (SELECT a.asset_type, a.status, count(*) AS assets
                 FROM discovery.assets AS a
                WHERE a.tenant_id = :tenant_id
                  AND a.project_id = :project_id
                  AND a.master_flow_id = f.id
                  AND a.deleted_at IS NULL
                GROUP BY GROUPING SETS ((a.asset_type), (a.status))) AS g) AS b
 WHERE f.tenant_id = :tenant_id
   AND f.project_id = :project_id
   AND f.id = :flow_id
   AND EXISTS (SELECT FROM workspace.projects AS p
                WHERE p.tenant_id = :tenant_id
                  AND p.id = :project_id
                  AND p.deleted_at IS NULL)
