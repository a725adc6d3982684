-- name: assets.export :stream
-- The live assets of a project that match, newest first, with all that is known of each.
-- param: project_id uuid
-- param: asset_type text?    only this type
-- param: status text?        only this status
-- param: environment text?   only this environment
-- param: q text?             part of the name, hostname, fqdn or ip; case does not matter
-- null: discovery_flow_id, raw_record_id, hostname, fqdn, ip, os, os_version, environment, location, business_owner, technical_owner, department, application, technology_stack, criticality, cpu, memory_gb, storage_gb, cost, dependencies, six_r_strategy, end_of_life, debt_score
-- plan: index
-- budget: 200 buffers
SELECT a.id, a.project_id, a.master_flow_id, a.discovery_flow_id, a.raw_record_id, a.name, a.asset_type,
       a.hostname, a.fqdn, a.ip, a.os, a.os_version, a.environment, a.location, a.business_owner,
       a.technical_owner, a.department, a.application, a.technology_stack, a.criticality, a.cpu, a.memory_gb,
       a.storage_gb, a.cost, a.dependencies, a.custom, a.six_r_strategy, a.end_of_life, a.debt_score,
       a.debt_findings, a.status, a.version, a.created_at, a.updated_at
  FROM discovery.assets AS a
 WHERE a.tenant_id = :tenant_id
   AND a.project_id = :project_id
   AND a.deleted_at IS NULL
   AND CASE WHEN :asset_type::text IS NULL THEN true ELSE a.asset_type = :asset_type END
   AND CASE WHEN :status::text IS NULL THEN true ELSE a.status = :status END
   AND CASE WHEN :environment::text IS NULL THEN true ELSE a.environment = :environment END
   AND CASE WHEN :q::text IS NULL THEN true
            ELSE strpos(lower(concat_ws(' ', a.name, a.hostname, a.fqdn, host(a.ip))), lower(:q)) > 0 END
 ORDER BY a.created_at DESC, a.id DESC
