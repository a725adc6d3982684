-- name: conflicts.resolve :many
-- Resolves open conflicts of a live project; what is no open conflict is not in the answer. Of several
-- that change one asset, the later row is the last word. The project is asked of the rows alone: foreign keys
-- carry it to conflicts and assets, and these are found by their own key, whatever else a project holds.
-- param: project_id uuid
-- param: resolutions jsonb       an array of {id, action, merge_fields}
-- param: resolved_by uuid?
-- null: resolution, merge_fields, resolved_by, resolved_at
-- budget: 20000 buffers
WITH asked AS MATERIALIZED (
    SELECT c.id, c.asset_id, c.raw_record_id, c.incoming, s.action, s.merge_fields, r.row_number, r.data_import_id
      FROM jsonb_to_recordset(:resolutions::jsonb) AS s (id uuid, action text, merge_fields text[])
      JOIN discovery.asset_conflicts AS c
        ON c.tenant_id = :tenant_id
       AND c.id = s.id
       AND c.resolution IS NULL
      JOIN discovery.raw_records AS r
        ON r.tenant_id = :tenant_id
       AND r.project_id = :project_id
       AND r.id = c.raw_record_id
     ORDER BY c.id
       FOR UPDATE OF c
), chosen AS (
    SELECT k.asset_id, k.data_import_id, k.row_number, e.key, e.value, false AS is_custom
      FROM asked AS k
     CROSS JOIN LATERAL jsonb_each(k.incoming - 'custom' - 'asset_type') AS e
     WHERE k.action = 'replace'
        OR (k.action = 'merge' AND e.key = ANY (k.merge_fields))
     UNION ALL
    SELECT k.asset_id, k.data_import_id, k.row_number, e.key, e.value, true AS is_custom
      FROM asked AS k
     CROSS JOIN LATERAL jsonb_each(k.incoming -> 'custom') AS e
     WHERE k.action = 'replace'
        OR (k.action = 'merge' AND 'custom' = ANY (k.merge_fields))
), news AS (
    SELECT h.asset_id,
           coalesce(jsonb_object_agg(h.key, h.value ORDER BY h.data_import_id, h.row_number) FILTER (WHERE NOT h.is_custom), '{}') AS fields,
           coalesce(jsonb_object_agg(h.key, h.value ORDER BY h.data_import_id, h.row_number) FILTER (WHERE h.is_custom), '{}') AS custom
      FROM chosen AS h
     GROUP BY h.asset_id
), changed AS (
    UPDATE discovery.assets AS a
       SET name = coalesce(n.fields ->> 'name', a.name),
           ip = coalesce((n.fields ->> 'ip')::inet, a.ip),
           hostname = coalesce(n.fields ->> 'hostname', a.hostname),
           fqdn = coalesce(n.fields ->> 'fqdn', a.fqdn),
           os = coalesce(n.fields ->> 'os', a.os),
           os_version = coalesce(n.fields ->> 'os_version', a.os_version),
           environment = coalesce(n.fields ->> 'environment', a.environment),
           location = coalesce(n.fields ->> 'location', a.location),
           business_owner = coalesce(n.fields ->> 'business_owner', a.business_owner),
           technical_owner = coalesce(n.fields ->> 'technical_owner', a.technical_owner),
           department = coalesce(n.fields ->> 'department', a.department),
           application = coalesce(n.fields ->> 'application', a.application),
           technology_stack = coalesce(n.fields ->> 'technology_stack', a.technology_stack),
           criticality = coalesce(n.fields ->> 'criticality', a.criticality),
           cpu = coalesce((n.fields ->> 'cpu')::numeric, a.cpu),
           memory_gb = coalesce((n.fields ->> 'memory_gb')::numeric, a.memory_gb),
           storage_gb = coalesce((n.fields ->> 'storage_gb')::numeric, a.storage_gb),
           cost = coalesce((n.fields ->> 'cost')::numeric, a.cost),
           dependencies = coalesce(string_to_array(n.fields ->> 'dependencies', ', '), a.dependencies),
           custom = a.custom || n.custom
      FROM news AS n
     WHERE a.tenant_id = :tenant_id
       AND a.id = n.asset_id
), told AS (
    UPDATE discovery.raw_records AS r
       SET outcome = CASE WHEN k.action = 'keep_existing' THEN 'skipped' ELSE 'merged' END,
           findings = r.findings || jsonb_build_array(jsonb_build_object(
               'phase', 'conflicts', 'code', k.action, 'detail', 'the conflict was resolved'))
      FROM asked AS k
     WHERE r.tenant_id = :tenant_id
       AND r.project_id = :project_id
       AND r.id = k.raw_record_id
)
UPDATE discovery.asset_conflicts AS c
   SET resolution = k.action, merge_fields = CASE WHEN k.action = 'merge' THEN k.merge_fields END,
       resolved_by = :resolved_by, resolved_at = clock_timestamp()
  FROM asked AS k
 WHERE c.tenant_id = :tenant_id
   AND c.id = k.id
RETURNING c.id, c.asset_id, c.raw_record_id, c.resolution, c.merge_fields, c.resolved_by, c.resolved_at
