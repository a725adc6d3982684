-- name: imports.impact :one
-- What goes, and what stays, when an import of a live project is deleted.
-- param: project_id uuid
-- param: import_id uuid
-- plan: index
-- budget: 500 buffers
SELECT i.id, i.master_flow_id, f.status AS flow_status,
       (SELECT count(*) FROM discovery.raw_records AS r
         WHERE r.tenant_id = :tenant_id AND r.project_id = :project_id AND r.data_import_id = i.id
           AND r.master_flow_id = i.master_flow_id) AS raw_records,
       (SELECT count(*) FROM discovery.field_mappings AS m
         WHERE m.tenant_id = :tenant_id AND m.project_id = :project_id AND m.data_import_id = i.id) AS field_mappings,
       (SELECT count(*) FROM discovery.discovery_flows AS d
         WHERE d.tenant_id = :tenant_id AND d.project_id = :project_id AND d.data_import_id = i.id) AS discovery_flows,
       (SELECT count(*) FROM discovery.asset_conflicts AS c
         WHERE c.tenant_id = :tenant_id AND c.project_id = :project_id
           AND c.master_flow_id = i.master_flow_id) AS asset_conflicts,
       (SELECT count(*) FROM discovery.assets AS a
         WHERE a.tenant_id = :tenant_id AND a.project_id = :project_id
           AND a.master_flow_id = i.master_flow_id AND a.deleted_at IS NULL) AS assets_kept
  FROM discovery.data_imports AS i
  JOIN discovery.master_flows AS f
    ON f.tenant_id = i.tenant_id AND f.project_id = i.project_id AND f.id = i.master_flow_id
 WHERE i.tenant_id = :tenant_id
   AND i.project_id = :project_id
   AND i.id = :import_id
   AND EXISTS (SELECT FROM workspace.projects AS p
                WHERE p.tenant_id = :tenant_id
                  AND p.id = :project_id
                  AND p.deleted_at IS NULL)
