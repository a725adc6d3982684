-- name: assets.count_of_flow :value
-- How many live assets that one flow made match.
-- param: project_id uuid
-- param: flow uuid          only what this master flow made
-- param: asset_type text?    only this type
-- param: status text?        only this status
-- param: environment text?   only this environment
-- param: q text?             part of the name, hostname, fqdn or ip; case does not matter
-- budget: 200 buffers
SELECT count(*) AS total
  FROM discovery.assets AS a
 WHERE a.tenant_id = :tenant_id
   AND a.project_id = :project_id
   AND a.master_flow_id = :flow
   AND a.deleted_at IS NULL
   AND CASE WHEN :asset_type::text IS NULL THEN true ELSE a.asset_type = :asset_type END
   AND CASE WHEN :status::text IS NULL THEN true ELSE a.status = :status END
   AND CASE WHEN :environment::text IS NULL THEN true ELSE a.environment = :environment END
   AND CASE WHEN :q::text IS NULL THEN true
            ELSE strpos(lower(concat_ws(' ', a.name, a.hostname, a.fqdn, host(a.ip))), lower(:q)) > 0 END
