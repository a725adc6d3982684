-- name: assets.update_many :one
-- Changes many live assets of a live project; each item names its id, what changes, and the version that
-- it must have if it matters. Answers the ids of those that were changed, in the order of the items. The project is
-- no index condition (IS NOT DISTINCT FROM), so that they are found by their ids, whatever else it holds.
-- param: project_id uuid
-- param: items jsonb   [{"id": …, "version"?: …, column: value, …}, …]
-- budget: 500 buffers
WITH asked AS (
    SELECT (i.item ->> 'id')::uuid AS id, (i.item ->> 'version')::bigint AS version, i.item, i.place
      FROM jsonb_array_elements(:items::jsonb) WITH ORDINALITY AS i (item, place)
), locked AS (
    SELECT a.id
      FROM discovery.assets AS a
     WHERE a.tenant_id = :tenant_id
       AND a.project_id IS NOT DISTINCT FROM :project_id
       AND a.id IN (SELECT k.id FROM asked AS k)
       AND a.deleted_at IS NULL
     ORDER BY a.created_at DESC, a.id DESC
       FOR UPDATE
), changed AS (
    UPDATE discovery.assets AS a
       SET (name, asset_type, hostname, fqdn, ip, os, os_version, environment, location,
            business_owner, technical_owner, department, application, technology_stack,
            criticality, cpu, memory_gb, storage_gb, cost, custom, six_r_strategy, status) =
           (SELECT n.name, n.asset_type, n.hostname, n.fqdn, n.ip, n.os, n.os_version, n.environment,
                   n.location, n.business_owner, n.technical_owner, n.department, n.application,
                   n.technology_stack, n.criticality, n.cpu, n.memory_gb, n.storage_gb, n.cost, n.custom,
                   n.six_r_strategy, n.status
              FROM jsonb_populate_record(a, k.item - 'id' - 'version') AS n)
      FROM asked AS k
      JOIN locked AS l ON l.id = k.id
     WHERE a.tenant_id = :tenant_id
       AND a.project_id IS NOT DISTINCT FROM :project_id
       AND a.id = k.id
       AND a.deleted_at IS NULL
       AND CASE WHEN k.version IS NULL THEN true ELSE a.version = k.version END
       AND EXISTS (SELECT FROM workspace.projects AS p
                    WHERE p.tenant_id = :tenant_id
                      AND p.id = :project_id
                      AND p.deleted_at IS NULL)
    RETURNING a.id, k.place
)
SELECT coalesce(json_agg(c.id ORDER BY c.place), '[]') AS ids, count(*)::int AS count
  FROM changed AS c
