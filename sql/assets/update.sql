-- name: assets.update :one
-- Changes what `changes` names; null empties it, where it may be empty.
-- param: project_id uuid
-- param: asset_id uuid
-- param: expected_version bigint?   any version when absent
-- param: changes jsonb              new values by column
-- null: discovery_flow_id, raw_record_id, hostname, fqdn, ip, os, os_version, environment, location, business_owner, technical_owner, department, application, technology_stack, criticality, cpu, memory_gb, storage_gb, cost, dependencies, six_r_strategy, end_of_life, debt_score
-- etag: version
-- budget: 50 buffers
UPDATE discovery.assets AS a
   SET (name, asset_type, hostname, fqdn, ip, os, os_version, environment, location,
        business_owner, technical_owner, department, application, technology_stack, criticality,
        cpu, memory_gb, storage_gb, cost, custom, six_r_strategy, status) =
       (SELECT n.name, n.asset_type, n.hostname, n.fqdn, n.ip, n.os, n.os_version, n.environment, n.location,
               n.business_owner, n.technical_owner, n.department, n.application, n.technology_stack,
               n.criticality, n.cpu, n.memory_gb, n.storage_gb, n.cost, n.custom, n.six_r_strategy, n.status
          FROM jsonb_populate_record(a, :changes::jsonb - 'id') AS n)
 WHERE a.tenant_id = :tenant_id
   AND a.project_id = :project_id
   AND a.id = :asset_id
   AND a.deleted_at IS NULL
   AND CASE WHEN :expected_version::bigint IS NULL THEN true ELSE a.version = :expected_version END
   AND EXISTS (SELECT FROM workspace.projects AS p
                WHERE p.tenant_id = :tenant_id
                  AND p.id = :project_id
                  AND p.deleted_at IS NULL)
RETURNING a.id, a.project_id, a.master_flow_id, a.discovery_flow_id, a.raw_record_id, a.name, a.asset_type,
          a.hostname, a.fqdn, a.ip, a.os, a.os_version, a.environment, a.location, a.business_owner,
          a.technical_owner, a.department, a.application, a.technology_stack, a.criticality, a.cpu,
          a.memory_gb, a.storage_gb, a.cost, a.dependencies, a.custom, a.six_r_strategy, a.end_of_life,
          a.debt_score, a.debt_findings, a.status, a.version, a.created_at, a.updated_at
