-- name: assets.restore :one
-- Brings a softly deleted asset back; refused where a live one has its hostname or ip by now.
-- param: project_id uuid
-- param: asset_id uuid
-- null: discovery_flow_id, raw_record_id, hostname, fqdn, ip, os, os_version, environment, location, business_owner, technical_owner, department, application, technology_stack, criticality, cpu, memory_gb, storage_gb, cost, dependencies, six_r_strategy, end_of_life, debt_score
-- etag: version
-- budget: 20 buffers
UPDATE discovery.assets AS a
   SET deleted_at = NULL
 WHERE a.tenant_id = :tenant_id
   AND a.project_id = :project_id
   AND a.id = :asset_id
   AND a.deleted_at IS NOT NULL
   AND EXISTS (SELECT FROM workspace.projects AS p
                WHERE p.tenant_id = :tenant_id
                  AND p.id = :project_id
                  AND p.deleted_at IS NULL)
RETURNING a.id, a.project_id, a.master_flow_id, a.discovery_flow_id, a.raw_record_id, a.name, a.asset_type,
          a.hostname, a.fqdn, a.ip, a.os, a.os_version, a.environment, a.location, a.business_owner,
          a.technical_owner, a.department, a.application, a.technology_stack, a.criticality, a.cpu,
          a.memory_gb, a.storage_gb, a.cost, a.dependencies, a.custom, a.six_r_strategy, a.end_of_life,
          a.debt_score, a.debt_findings, a.status, a.version, a.created_at, a.updated_at
