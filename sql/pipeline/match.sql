-- name: pipeline.match :value
-- Of the rows that are left, those that are like a live asset go into it: by hostname, else fqdn, else
-- address, else name, within their type. What the asset does not know yet it takes over; where they
-- say something else, the row is a conflict. How many rows.
-- param: import_id uuid
-- param: project_id uuid
-- param: flow_id uuid
-- route: primary
WITH keys AS MATERIALIZED (
    SELECT r.id, r.row_number, r.cleansed ->> 'asset_type' AS asset_type, r.cleansed ->> 'hostname' AS hostname,
           r.cleansed ->> 'fqdn' AS fqdn, (r.cleansed ->> 'ip')::inet AS ip,
           CASE WHEN NOT r.cleansed ?| ARRAY['hostname', 'fqdn', 'ip']
                THEN coalesce(r.cleansed ->> 'name', r.cleansed ->> 'application') END AS name, r.cleansed
      FROM discovery.raw_records AS r
     WHERE r.tenant_id = :tenant_id
       AND r.project_id = :project_id
       AND r.data_import_id = :import_id
       AND r.outcome = 'pending'
), found AS MATERIALIZED (
    SELECT k.id, k.row_number, k.asset_type, k.cleansed, h.id AS by_hostname, f.id AS by_fqdn, i.id AS by_ip, n.id AS by_name
      FROM keys AS k
      LEFT JOIN discovery.assets AS h
        ON h.tenant_id = :tenant_id
       AND h.project_id = :project_id
       AND h.deleted_at IS NULL
       AND h.asset_type = k.asset_type
       AND h.hostname = k.hostname
      LEFT JOIN (
            SELECT DISTINCT ON (a.asset_type, a.fqdn) a.id, a.asset_type, a.fqdn
              FROM discovery.assets AS a
             WHERE a.tenant_id = :tenant_id
               AND a.project_id = :project_id
               AND a.deleted_at IS NULL
               AND a.fqdn IS NOT NULL
             ORDER BY a.asset_type, a.fqdn, a.id) AS f ON f.asset_type = k.asset_type AND f.fqdn = k.fqdn
      LEFT JOIN discovery.assets AS i
        ON i.tenant_id = :tenant_id
       AND i.project_id = :project_id
       AND i.deleted_at IS NULL
       AND i.asset_type = k.asset_type
       AND i.ip = k.ip
      LEFT JOIN (
            SELECT DISTINCT ON (a.asset_type, a.name) a.id, a.asset_type, a.name
              FROM discovery.assets AS a
             WHERE a.tenant_id = :tenant_id
               AND a.project_id = :project_id
               AND a.deleted_at IS NULL
               AND a.name IS NOT NULL
             ORDER BY a.asset_type, a.name, a.id) AS n ON n.asset_type = k.asset_type AND n.name = k.name
), matched AS MATERIALIZED (
    SELECT f.id, f.row_number, f.asset_type, f.cleansed, f.cleansed - 'custom' - 'asset_type' AS incoming, a.id AS asset_id,
           jsonb_strip_nulls(jsonb_build_object('name', a.name, 'ip', host(a.ip), 'hostname', a.hostname, 'fqdn', a.fqdn, 'os', a.os, 'os_version', a.os_version, 'environment', a.environment, 'location', a.location, 'business_owner', a.business_owner, 'technical_owner', a.technical_owner, 'department', a.department, 'application', a.application, 'technology_stack', a.technology_stack, 'criticality', a.criticality,
               'cpu', trim_scale(a.cpu)::text, 'memory_gb', trim_scale(a.memory_gb)::text, 'storage_gb', trim_scale(a.storage_gb)::text, 'cost', trim_scale(a.cost)::text, 'dependencies', array_to_string(a.dependencies, ', '))) AS have,
           CASE WHEN f.by_hostname <> f.by_fqdn OR f.by_hostname <> f.by_ip OR f.by_fqdn <> f.by_ip THEN 'several'
                WHEN f.by_hostname IS NOT NULL THEN 'hostname'
                WHEN f.by_fqdn IS NOT NULL THEN 'fqdn'
                WHEN f.by_ip IS NOT NULL THEN 'ip'
                ELSE 'name' END AS kind,
           array_remove(ARRAY[CASE WHEN f.by_fqdn <> a.id THEN 'fqdn' END, CASE WHEN f.by_ip <> a.id THEN 'ip' END], NULL) AS elsewhere
      FROM found AS f
      JOIN discovery.assets AS a ON a.tenant_id = :tenant_id AND a.project_id = :project_id AND a.id = coalesce(f.by_hostname, f.by_fqdn, f.by_ip, f.by_name)
), compared AS MATERIALIZED (
    SELECT m.id, m.row_number, m.asset_type, m.cleansed, m.incoming, m.asset_id, m.have, m.kind, m.elsewhere || ARRAY(SELECT e.key FROM jsonb_each_text(m.incoming) AS e WHERE m.have ->> e.key <> e.value) AS fields
      FROM matched AS m
), offers AS (
    SELECT c.id, c.row_number, c.asset_id, c.asset_type, e.key, e.value
      FROM compared AS c
     CROSS JOIN LATERAL jsonb_each_text(c.incoming) AS e
     WHERE cardinality(c.fields) = 0
       AND NOT c.have ? e.key
), taken AS MATERIALIZED (
    SELECT o.id, o.asset_id, o.asset_type, o.key, o.value, first_value(o.value) OVER (PARTITION BY o.asset_id, o.key ORDER BY o.row_number) AS first_value,
           first_value(o.asset_id) OVER (PARTITION BY o.asset_type, o.key, o.value ORDER BY o.row_number) AS first_asset
      FROM offers AS o
), late AS MATERIALIZED (
    SELECT t.id, array_agg(t.key ORDER BY t.key) AS fields
      FROM taken AS t
     WHERE t.value <> t.first_value
        OR (t.key IN ('hostname', 'fqdn', 'ip') AND t.first_asset <> t.asset_id)
     GROUP BY t.id
), settled AS MATERIALIZED (
    SELECT c.id, c.row_number, c.asset_id, c.kind, c.cleansed, c.incoming, c.have, c.fields || coalesce(l.fields, '{}') AS fields
      FROM compared AS c
      LEFT JOIN late AS l ON l.id = c.id
), known AS (
    SELECT t.asset_id, jsonb_object_agg(t.key, t.first_value) AS fields
      FROM taken AS t
      LEFT JOIN late AS l ON l.id = t.id
     WHERE l.id IS NULL
     GROUP BY t.asset_id
), custom AS (
    SELECT s.asset_id, jsonb_object_agg(e.key, e.value ORDER BY s.row_number DESC) AS fields
      FROM settled AS s
     CROSS JOIN LATERAL jsonb_each(s.cleansed -> 'custom') AS e
     WHERE cardinality(s.fields) = 0
     GROUP BY s.asset_id
), news AS (
    SELECT coalesce(k.asset_id, c.asset_id) AS asset_id, coalesce(k.fields, '{}') AS fields, coalesce(c.fields, '{}') AS custom
      FROM known AS k
      FULL JOIN custom AS c ON c.asset_id = k.asset_id
), filled AS (
    UPDATE discovery.assets AS a
       SET ip = coalesce(a.ip, (n.fields ->> 'ip')::inet),
           hostname = coalesce(a.hostname, n.fields ->> 'hostname'),
           fqdn = coalesce(a.fqdn, n.fields ->> 'fqdn'),
           os = coalesce(a.os, n.fields ->> 'os'),
           os_version = coalesce(a.os_version, n.fields ->> 'os_version'),
           environment = coalesce(a.environment, n.fields ->> 'environment'),
           location = coalesce(a.location, n.fields ->> 'location'),
           business_owner = coalesce(a.business_owner, n.fields ->> 'business_owner'),
           technical_owner = coalesce(a.technical_owner, n.fields ->> 'technical_owner'),
           department = coalesce(a.department, n.fields ->> 'department'),
           application = coalesce(a.application, n.fields ->> 'application'),
           technology_stack = coalesce(a.technology_stack, n.fields ->> 'technology_stack'),
           criticality = coalesce(a.criticality, n.fields ->> 'criticality'),
           cpu = coalesce(a.cpu, (n.fields ->> 'cpu')::numeric),
           memory_gb = coalesce(a.memory_gb, (n.fields ->> 'memory_gb')::numeric),
           storage_gb = coalesce(a.storage_gb, (n.fields ->> 'storage_gb')::numeric),
           cost = coalesce(a.cost, (n.fields ->> 'cost')::numeric),
           dependencies = coalesce(a.dependencies, string_to_array(n.fields ->> 'dependencies', ', ')),
           custom = n.custom || a.custom
      FROM news AS n
     WHERE a.tenant_id = :tenant_id
       AND a.project_id = :project_id
       AND a.id = n.asset_id
       AND (n.fields <> '{}' OR n.custom || a.custom <> a.custom)
), asked AS (
    INSERT INTO discovery.asset_conflicts (tenant_id, project_id, master_flow_id, raw_record_id, asset_id, kind, incoming, differences)
    SELECT :tenant_id, :project_id, :flow_id, s.id, s.asset_id, s.kind, s.cleansed,
           (SELECT jsonb_object_agg(d.field, jsonb_build_object('existing', s.have ->> d.field, 'incoming', s.incoming ->> d.field))
              FROM unnest(s.fields) AS d (field))
      FROM settled AS s
     WHERE cardinality(s.fields) > 0
     ORDER BY s.row_number
), told AS (
    UPDATE discovery.raw_records AS r
       SET outcome = CASE WHEN cardinality(s.fields) = 0 THEN 'merged' ELSE 'conflict' END, asset_id = s.asset_id
      FROM settled AS s
     WHERE r.tenant_id = :tenant_id
       AND r.project_id = :project_id
       AND r.data_import_id = :import_id
       AND r.id = s.id
    RETURNING 1
)
SELECT count(*)::bigint AS rows
  FROM told
