-- name: integrity.conservation :many
-- Imports whose rows do not add up: loaded = asset + merged + conflict + rejected + skipped + pending.
-- param: most int?   rows of evidence per table and kind of damage; all when absent
-- allow: tenant_predicate an operator looks at all tenants; row-level security holds a caller to its own
-- allow: seq_scan a check reads what it checks
WITH damage AS (
    -- Rows are counted in their index, and by outcome only where the numbers differ.
    SELECT 'discovery.data_imports' AS table_name, 'outcomes' AS kind, i.tenant_id, i.id AS row_id,
           concat('loaded ', i.loaded_rows, ' <> ', r.rows, ' = asset ', o.asset, ' + merged ', o.merged, ' + conflict ', o.conflict,
                  ' + rejected ', o.rejected, ' + skipped ', o.skipped, ' + pending ', o.pending) AS detail
      FROM discovery.data_imports AS i
      JOIN (SELECT x.tenant_id, x.data_import_id, count(*) AS rows
              FROM discovery.raw_records AS x
             GROUP BY x.tenant_id, x.data_import_id) AS r
        ON r.tenant_id = i.tenant_id AND r.data_import_id = i.id
     CROSS JOIN LATERAL (SELECT count(*) FILTER (WHERE x.outcome = 'asset') AS asset,
                                count(*) FILTER (WHERE x.outcome = 'merged') AS merged,
                                count(*) FILTER (WHERE x.outcome = 'conflict') AS conflict,
                                count(*) FILTER (WHERE x.outcome = 'rejected') AS rejected,
                                count(*) FILTER (WHERE x.outcome = 'skipped') AS skipped,
                                count(*) FILTER (WHERE x.outcome = 'pending') AS pending
                           FROM discovery.raw_records AS x
                          WHERE x.tenant_id = i.tenant_id AND x.data_import_id = i.id) AS o
     WHERE i.loaded_rows <> r.rows
     UNION ALL
    SELECT 'discovery.data_imports' AS table_name, 'totals' AS kind, i.tenant_id, i.id AS row_id,
           concat('total ', i.total_rows, ' <> loaded ', i.loaded_rows, ' + rejected ', i.rejected_rows) AS detail
      FROM discovery.data_imports AS i
     WHERE i.total_rows <> i.loaded_rows + i.rejected_rows
), numbered AS (
    SELECT d.table_name, d.kind, d.tenant_id, d.row_id, d.detail,
           count(*) OVER (PARTITION BY d.table_name, d.kind) AS total,
           row_number() OVER (PARTITION BY d.table_name, d.kind ORDER BY d.tenant_id, d.row_id) AS place
      FROM damage AS d
     WHERE CASE WHEN :tenant_id::uuid IS NULL THEN true ELSE d.tenant_id = :tenant_id END
)
SELECT 'conservation' AS check_name, n.table_name, n.kind, n.tenant_id, n.row_id, n.detail, n.total AS count
  FROM numbered AS n
 WHERE CASE WHEN :most::int IS NULL THEN true ELSE n.place <= :most END
 ORDER BY n.table_name, n.place
