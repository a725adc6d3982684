-- name: integrity.discovery_childless_parents :many
-- Imports without any of their rows or without a flow of phases, discovery flows without an import, flows without a history.
-- param: most int?   rows of evidence per table and kind of damage; all when absent
-- allow: tenant_predicate an operator looks at all tenants; row-level security holds a caller to its own
-- allow: seq_scan a check reads what it checks
WITH damage AS (
    SELECT 'discovery.data_imports' AS table_name, 'raw_records' AS kind, i.tenant_id, i.id AS row_id,
           concat(i.loaded_rows, ' rows were loaded and none is there') AS detail
      FROM discovery.data_imports AS i
     WHERE i.loaded_rows > 0
       AND NOT EXISTS (SELECT FROM discovery.raw_records AS r
                        WHERE r.tenant_id = i.tenant_id AND r.project_id = i.project_id AND r.data_import_id = i.id)
     UNION ALL
    SELECT 'discovery.data_imports' AS table_name, 'discovery_flows' AS kind, i.tenant_id, i.id AS row_id,
           'it has no discovery flow' AS detail
      FROM discovery.data_imports AS i
     WHERE NOT EXISTS (SELECT FROM discovery.discovery_flows AS d WHERE d.tenant_id = i.tenant_id AND d.data_import_id = i.id)
     UNION ALL
    SELECT 'discovery.master_flows' AS table_name, 'flow_transitions' AS kind, f.tenant_id, f.id AS row_id,
           concat('it is ', f.status, ' and has no history') AS detail
      FROM discovery.master_flows AS f
     WHERE NOT EXISTS (SELECT FROM discovery.flow_transitions AS t WHERE t.tenant_id = f.tenant_id AND t.master_flow_id = f.id)
), numbered AS (
    SELECT d.table_name, d.kind, d.tenant_id, d.row_id, d.detail,
           count(*) OVER (PARTITION BY d.table_name, d.kind) AS total,
           row_number() OVER (PARTITION BY d.table_name, d.kind ORDER BY d.tenant_id, d.row_id) AS place
      FROM damage AS d
     WHERE CASE WHEN :tenant_id::uuid IS NULL THEN true ELSE d.tenant_id = :tenant_id END
)
SELECT 'discovery_childless_parents' AS check_name, n.table_name, n.kind, n.tenant_id, n.row_id, n.detail, n.total AS count
  FROM numbered AS n
 WHERE CASE WHEN :most::int IS NULL THEN true ELSE n.place <= :most END
 ORDER BY n.table_name, n.place
