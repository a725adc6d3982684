-- name: pipeline.lead :value
-- Of the rows that are left, those that are the first of their hostname, fqdn and address (of their
-- name, where they have none of these) within their type, and like no live asset, become assets.
-- How many.
-- param: import_id uuid
-- param: project_id uuid
-- param: flow_id uuid
-- param: discovery_flow_id uuid
-- route: primary
WITH keys AS (
    SELECT r.id, r.row_number, r.cleansed ->> 'asset_type' AS asset_type, r.cleansed ->> 'hostname' AS hostname,
           r.cleansed ->> 'fqdn' AS fqdn, (r.cleansed ->> 'ip')::inet AS ip,
           CASE WHEN NOT r.cleansed ?| ARRAY['hostname', 'fqdn', 'ip']
                THEN coalesce(r.cleansed ->> 'name', r.cleansed ->> 'application') END AS name
      FROM discovery.raw_records AS r
     WHERE r.tenant_id = :tenant_id
       AND r.project_id = :project_id
       AND r.data_import_id = :import_id
       AND r.outcome = 'pending'
), placed AS (
    SELECT k.id, k.asset_type, k.hostname, k.fqdn, k.ip, k.name,
           (k.hostname IS NULL OR k.row_number = min(k.row_number) OVER (PARTITION BY k.asset_type, k.hostname))
           AND (k.fqdn IS NULL OR k.row_number = min(k.row_number) OVER (PARTITION BY k.asset_type, k.fqdn))
           AND (k.ip IS NULL OR k.row_number = min(k.row_number) OVER (PARTITION BY k.asset_type, k.ip))
           AND (k.name IS NULL OR k.row_number = min(k.row_number) OVER (PARTITION BY k.asset_type, k.name)) AS is_first
      FROM keys AS k
), leaders AS (
    SELECT k.id
      FROM placed AS k
     WHERE k.is_first
       AND NOT EXISTS (
           SELECT FROM discovery.assets AS a
            WHERE a.tenant_id = :tenant_id
              AND a.project_id = :project_id
              AND a.deleted_at IS NULL
              AND a.asset_type = k.asset_type
              AND a.hostname = k.hostname)
       AND NOT EXISTS (
           SELECT FROM discovery.assets AS a
            WHERE a.tenant_id = :tenant_id
              AND a.project_id = :project_id
              AND a.deleted_at IS NULL
              AND a.asset_type = k.asset_type
              AND a.fqdn = k.fqdn)
       AND NOT EXISTS (
           SELECT FROM discovery.assets AS a
            WHERE a.tenant_id = :tenant_id
              AND a.project_id = :project_id
              AND a.deleted_at IS NULL
              AND a.asset_type = k.asset_type
              AND a.ip = k.ip)
       AND NOT EXISTS (
           SELECT FROM discovery.assets AS a
            WHERE a.tenant_id = :tenant_id
              AND a.project_id = :project_id
              AND a.deleted_at IS NULL
              AND a.asset_type = k.asset_type
              AND a.name = k.name)
), made AS (
    INSERT INTO discovery.assets AS a (
        tenant_id, project_id, master_flow_id, discovery_flow_id, raw_record_id, name, asset_type, ip, hostname, fqdn, os, os_version, environment, location, business_owner, technical_owner, department, application, technology_stack, criticality,
        cpu, memory_gb, storage_gb, cost, dependencies, custom)
    SELECT :tenant_id, :project_id, :flow_id, :discovery_flow_id, r.id,
           coalesce(r.cleansed ->> 'name', r.cleansed ->> 'hostname', r.cleansed ->> 'fqdn', r.cleansed ->> 'application',
                    r.cleansed ->> 'ip'),
           r.cleansed ->> 'asset_type', (r.cleansed ->> 'ip')::inet,
           r.cleansed ->> 'hostname', r.cleansed ->> 'fqdn', r.cleansed ->> 'os', r.cleansed ->> 'os_version', r.cleansed ->> 'environment', r.cleansed ->> 'location', r.cleansed ->> 'business_owner', r.cleansed ->> 'technical_owner', r.cleansed ->> 'department', r.cleansed ->> 'application', r.cleansed ->> 'technology_stack', r.cleansed ->> 'criticality',
           (r.cleansed ->> 'cpu')::numeric, (r.cleansed ->> 'memory_gb')::numeric, (r.cleansed ->> 'storage_gb')::numeric, (r.cleansed ->> 'cost')::numeric,
           string_to_array(r.cleansed ->> 'dependencies', ', '), coalesce(r.cleansed -> 'custom', '{}')
      FROM leaders AS l
      JOIN discovery.raw_records AS r ON r.tenant_id = :tenant_id AND r.project_id = :project_id AND r.id = l.id
     WHERE r.data_import_id = :import_id
     ORDER BY r.row_number
    RETURNING a.id, a.raw_record_id
), told AS (
    UPDATE discovery.raw_records AS r
       SET outcome = 'asset', asset_id = m.id
      FROM made AS m
     WHERE r.tenant_id = :tenant_id
       AND r.project_id = :project_id
       AND r.data_import_id = :import_id
       AND r.id = m.raw_record_id
    RETURNING 1
)
SELECT count(*)::bigint AS rows
  FROM told
