-- name: events.after :many
-- The events of a topic after a number, in their order.
-- param: topic text
-- param: topic_id uuid
-- param: after bigint
-- param: limit int
-- plan: index
-- budget: 20 buffers
SELECT e.sequence, e.event, e.data::text AS data, e.is_final
  FROM core.topic_events AS e
 WHERE e.tenant_id = :tenant_id
   AND e.topic = :topic
   AND e.topic_id = :topic_id
   AND e.sequence > :after
 ORDER BY e.sequence
 LIMIT :limit
