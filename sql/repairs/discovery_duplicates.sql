-- name: repairs.discovery_duplicates :affected
-- Of rows that may be there once the oldest stays. Imports and flows are left to a person.
-- param: run_id uuid
-- allow: tenant_predicate an operator looks at all tenants
-- allow: tenant_insert the row's own tenant
WITH planned AS (
    SELECT o.tenant_id, 'discovery.raw_records' AS table_name, o.row_id, CASE WHEN o.raw = o.first THEN 0.95 ELSE 0.60 END AS confidence,
           CASE WHEN o.raw = o.first THEN 'an older row is the same in every cell' ELSE 'an older row has its number, with other cells' END AS evidence
      FROM (SELECT x.tenant_id, x.id AS row_id, x.raw, first_value(x.raw) OVER same AS first, row_number() OVER same AS nth
              FROM discovery.raw_records AS x
             WHERE num_nulls(x.data_import_id) = 0
            WINDOW same AS (PARTITION BY x.tenant_id, x.project_id, x.data_import_id, x.row_number ORDER BY x.id)) AS o
     WHERE o.nth > 1
     UNION ALL
    SELECT o.tenant_id, 'discovery.field_mappings', o.row_id, 0.70, 'the older mapping of the column stays'
      FROM (SELECT x.tenant_id, x.id AS row_id, row_number() OVER (PARTITION BY x.tenant_id, x.project_id, x.data_import_id, x.source_field ORDER BY x.id) AS nth
              FROM discovery.field_mappings AS x
             WHERE num_nulls(x.data_import_id) = 0) AS o
     WHERE o.nth > 1
     UNION ALL
    SELECT o.tenant_id, 'discovery.assets', o.row_id, 0.60, 'an older live asset of its type has the same hostname or ip'
      FROM (SELECT x.tenant_id, x.id AS row_id,
                   row_number() OVER (PARTITION BY x.tenant_id, x.project_id, x.asset_type, coalesce(x.hostname, x.id::text) ORDER BY x.id) AS named,
                   row_number() OVER (PARTITION BY x.tenant_id, x.project_id, x.asset_type, coalesce(x.ip::text, x.id::text) ORDER BY x.id) AS placed
              FROM discovery.assets AS x
             WHERE x.deleted_at IS NULL) AS o
     WHERE o.named > 1 OR o.placed > 1
)
INSERT INTO ops.repairs (tenant_id, run_id, check_name, table_name, row_id, action, confidence, evidence)
SELECT p.tenant_id, :run_id, 'discovery_duplicates', p.table_name, p.row_id, 'quarantine', p.confidence, p.evidence
  FROM planned AS p
    ON CONFLICT (run_id, table_name, tenant_id, row_id, action, check_name) DO NOTHING
