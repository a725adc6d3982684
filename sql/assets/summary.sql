-- name: assets.summary :one
-- The live assets of a live project in figures; '' stands for what is not known.
-- param: project_id uuid
-- budget: 200 buffers
SELECT coalesce(sum(g.assets) FILTER (WHERE g.kind = 15), 0)::bigint AS total,
       coalesce(json_object_agg(g.value, g.assets ORDER BY g.assets DESC, g.value) FILTER (WHERE g.kind = 7), '{}') AS by_type,
       coalesce(json_object_agg(g.value, g.assets ORDER BY g.assets DESC, g.value) FILTER (WHERE g.kind = 11), '{}') AS by_status,
       coalesce(json_object_agg(g.value, g.assets ORDER BY g.assets DESC, g.value) FILTER (WHERE g.kind = 13), '{}') AS by_environment,
       coalesce(json_object_agg(g.value, g.assets ORDER BY g.assets DESC, g.value) FILTER (WHERE g.kind = 14), '{}') AS by_criticality
  FROM workspace.projects AS p
  LEFT JOIN LATERAL (SELECT grouping(a.asset_type, a.status, a.environment, a.criticality) AS kind,
                            coalesce(a.asset_type, a.status, a.environment, a.criticality, '') AS value, count(*) AS assets
                       FROM discovery.assets AS a
                      WHERE a.tenant_id = :tenant_id
                        AND a.project_id = :project_id
                        AND a.deleted_at IS NULL
                      GROUP BY GROUPING SETS ((a.asset_type), (a.status), (a.environment), (a.criticality), ())) AS g ON true
 WHERE p.tenant_id = :tenant_id
   AND p.id = :project_id
   AND p.deleted_at IS NULL
 GROUP BY p.id
