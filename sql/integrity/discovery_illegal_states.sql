-- name: integrity.discovery_illegal_states :many
-- Flows, rows, mappings, assets and conflicts in states that there are not, or that their history does not lead to.
-- param: most int?   rows of evidence per table and kind of damage; all when absent
-- allow: tenant_predicate an operator looks at all tenants; row-level security holds a caller to its own
-- allow: seq_scan a check reads what it checks
WITH damage AS (
    SELECT 'discovery.master_flows' AS table_name, 'status' AS kind, f.tenant_id, f.id AS row_id,
           concat('status ', f.status, ', completed_at ', f.completed_at, ', retries ', f.retry_count) AS detail
      FROM discovery.master_flows AS f
     WHERE f.status NOT IN ('initialized', 'running', 'paused', 'waiting_for_approval', 'completed', 'failed', 'cancelled', 'archived')
        OR (f.status IN ('completed', 'failed', 'cancelled', 'archived')) <> (f.completed_at IS NOT NULL)
        OR (f.status = 'archived') <> (f.archived_at IS NOT NULL)
        OR (f.status = 'paused') <> (f.paused_at IS NOT NULL)
        OR (f.status = 'failed' AND f.error IS NULL)
        OR f.retry_count NOT BETWEEN 0 AND 3
     UNION ALL
    SELECT 'discovery.master_flows' AS table_name, 'history' AS kind, f.tenant_id, f.id AS row_id,
           concat('it is ', f.status, ' in ', f.current_phase, ', its history ends ', t.to_status, ' in ', t.to_phase) AS detail
      FROM discovery.master_flows AS f
      JOIN (SELECT DISTINCT ON (l.tenant_id, l.master_flow_id) l.tenant_id, l.master_flow_id, l.to_status, l.to_phase
              FROM discovery.flow_transitions AS l
             ORDER BY l.tenant_id, l.master_flow_id, l.sequence DESC) AS t
        ON t.tenant_id = f.tenant_id AND t.master_flow_id = f.id
     WHERE (t.to_status, t.to_phase) <> (f.status, f.current_phase)
       AND f.status IN ('initialized', 'running', 'paused', 'waiting_for_approval', 'completed', 'failed', 'cancelled', 'archived')
     UNION ALL
    SELECT 'discovery.flow_transitions' AS table_name, 'step' AS kind, t.tenant_id, t.id AS row_id,
           concat('from ', t.from_status, ' to ', t.to_status, ' is no step that there is') AS detail
      FROM discovery.flow_transitions AS t
     WHERE t.from_status <> t.to_status
       AND t.to_status <> ALL (discovery.flow_steps(t.from_status))
     UNION ALL
    SELECT 'discovery.discovery_flows' AS table_name, 'progress' AS kind, d.tenant_id, d.id AS row_id,
           concat('progress ', d.progress, ', its phases say ', discovery.phases_progress(d.phases)) AS detail
      FROM discovery.discovery_flows AS d
     WHERE d.progress <> discovery.phases_progress(d.phases)
     UNION ALL
    SELECT 'discovery.raw_records' AS table_name, 'outcome' AS kind, r.tenant_id, r.id AS row_id,
           concat('outcome ', r.outcome) AS detail
      FROM discovery.raw_records AS r
     WHERE r.outcome NOT IN ('pending', 'asset', 'merged', 'conflict', 'rejected', 'skipped')
     UNION ALL
    SELECT 'discovery.field_mappings' AS table_name, 'status' AS kind, m.tenant_id, m.id AS row_id,
           concat('status ', m.status, ', decided_at ', m.decided_at) AS detail
      FROM discovery.field_mappings AS m
     WHERE m.status NOT IN ('suggested', 'approved', 'rejected')
        OR (m.status = 'suggested') <> (m.decided_at IS NULL)
     UNION ALL
    SELECT 'discovery.assets' AS table_name, 'status' AS kind, a.tenant_id, a.id AS row_id,
           concat('status ', a.status) AS detail
      FROM discovery.assets AS a
     WHERE a.status NOT IN ('discovered', 'confirmed', 'in_migration', 'migrated', 'decommissioned')
     UNION ALL
    SELECT 'discovery.asset_conflicts' AS table_name, 'resolution' AS kind, k.tenant_id, k.id AS row_id,
           concat('resolution ', k.resolution, ', resolved_at ', k.resolved_at) AS detail
      FROM discovery.asset_conflicts AS k
     WHERE (k.resolution IS NULL) <> (k.resolved_at IS NULL)
        OR k.resolution NOT IN ('keep_existing', 'replace', 'merge')
), numbered AS (
    SELECT d.table_name, d.kind, d.tenant_id, d.row_id, d.detail,
           count(*) OVER (PARTITION BY d.table_name, d.kind) AS total,
           row_number() OVER (PARTITION BY d.table_name, d.kind ORDER BY d.tenant_id, d.row_id) AS place
      FROM damage AS d
     WHERE CASE WHEN :tenant_id::uuid IS NULL THEN true ELSE d.tenant_id = :tenant_id END
)
SELECT 'discovery_illegal_states' AS check_name, n.table_name, n.kind, n.tenant_id, n.row_id, n.detail, n.total AS count
  FROM numbered AS n
 WHERE CASE WHEN :most::int IS NULL THEN true ELSE n.place <= :most END
 ORDER BY n.table_name, n.place
