-- name: entities.ownership :one
-- Who owns an entity, directly and through others: effective shares are the products along each
-- chain, summed over the chains. A chain that comes back to an entity of its own ends there and is
-- told as a cycle.
-- param: project_id uuid
-- param: entity_id text
-- param: depth int                links in a chain at most
-- param: threshold numeric        a natural person with at least so many percent is an ultimate beneficial owner
-- budget: 200 buffers
WITH RECURSIVE shares AS (
    SELECT l.from_entity, l.to_entity, sum(l.ownership_percent) AS percent
      FROM cases.entity_links AS l
     WHERE l.tenant_id = :tenant_id AND l.project_id = :project_id AND l.ownership_percent > 0
     GROUP BY l.from_entity, l.to_entity
), chains (entity_id, percent, depth, path, circular) AS (
    SELECT s.from_entity, s.percent, 1, ARRAY[s.to_entity, s.from_entity], s.from_entity = s.to_entity
      FROM shares AS s
     WHERE s.to_entity = :entity_id
    UNION ALL
    SELECT s.from_entity, c.percent * s.percent / 100, c.depth + 1, c.path || s.from_entity, s.from_entity = ANY (c.path)
      FROM chains AS c
      JOIN shares AS s ON s.to_entity = c.entity_id
     WHERE NOT c.circular
       AND c.depth < :depth
), owners AS (
    SELECT c.entity_id, sum(c.percent) AS effective, min(c.depth) AS depth,
           sum(c.percent) FILTER (WHERE c.depth = 1) AS direct,
           (array_agg(to_jsonb(c.path) ORDER BY c.depth, c.percent DESC, c.path))[1] AS path
      FROM chains AS c
     WHERE NOT c.circular
     GROUP BY c.entity_id
)
SELECT e.entity_id,
       (SELECT coalesce(jsonb_agg(jsonb_build_object(
                   'entity_id', o.entity_id, 'name', n.name, 'entity_type', n.entity_type,
                   'direct_percent', coalesce(trim_scale(o.direct), 0), 'effective_percent', trim_scale(round(o.effective, 6)),
                   'depth', o.depth, 'path', o.path,
                   'is_ubo', n.entity_type IN ('proper_person', 'sole_trader') AND o.effective >= :threshold)
               ORDER BY o.effective DESC, o.entity_id), '[]')
          FROM owners AS o
          JOIN cases.entities AS n
            ON n.tenant_id = :tenant_id AND n.project_id = :project_id AND n.entity_id = o.entity_id) AS owners,
       (SELECT coalesce(jsonb_agg(DISTINCT c.path[array_position(c.path, c.entity_id) :]), '[]')
          FROM chains AS c
         WHERE c.circular) AS cycles
  FROM cases.entities AS e
 WHERE e.tenant_id = :tenant_id
   AND e.project_id = :project_id
   AND e.entity_id = :entity_id
   AND EXISTS (SELECT FROM workspace.projects AS w
                WHERE w.tenant_id = :tenant_id AND w.id = :project_id AND w.deleted_at IS NULL)
