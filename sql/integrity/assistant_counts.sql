-- name: integrity.assistant_counts :many
-- Conversations whose count is not that of their messages, and messages without exactly one active variant.
-- param: most int?   rows of evidence per table and kind of damage; all when absent
-- allow: tenant_predicate an operator looks at all tenants; row-level security holds a caller to its own
-- allow: seq_scan a check reads what it checks
-- budget: 20000 buffers
WITH damage AS (
    SELECT 'assistant.conversations' AS table_name, 'message_count' AS kind, c.tenant_id, c.id AS row_id,
           concat('message_count ', c.message_count, ', there are ', coalesce(m.messages, 0), ' messages up to ', coalesce(m.last, 0)) AS detail
      FROM assistant.conversations AS c
      LEFT JOIN (SELECT x.tenant_id, x.conversation_id, count(*) FILTER (WHERE x.variant = 1) AS messages, max(x.seq) AS last
                   FROM assistant.messages AS x
                  GROUP BY x.tenant_id, x.conversation_id) AS m
        ON m.tenant_id = c.tenant_id AND m.conversation_id = c.id
     WHERE (c.message_count, c.message_count) IS DISTINCT FROM (coalesce(m.last, 0), coalesce(m.messages, 0))
     UNION ALL
    SELECT 'assistant.messages' AS table_name, 'is_active' AS kind, m.tenant_id, m.conversation_id AS row_id,
           concat('message ', m.seq, ' of the conversation has ', m.active, ' active variants') AS detail
      FROM (SELECT x.tenant_id, x.conversation_id, x.seq, count(*) FILTER (WHERE x.is_active) AS active
              FROM assistant.messages AS x
             GROUP BY x.tenant_id, x.conversation_id, x.seq) AS m
     WHERE m.active <> 1
), numbered AS (
    SELECT d.table_name, d.kind, d.tenant_id, d.row_id, d.detail,
           count(*) OVER (PARTITION BY d.table_name, d.kind) AS total,
           row_number() OVER (PARTITION BY d.table_name, d.kind ORDER BY d.tenant_id, d.row_id) AS place
      FROM damage AS d
     WHERE CASE WHEN :tenant_id::uuid IS NULL THEN true ELSE d.tenant_id = :tenant_id END
)
SELECT 'assistant_counts' AS check_name, n.table_name, n.kind, n.tenant_id, n.row_id, n.detail, n.total AS count
  FROM numbered AS n
 WHERE CASE WHEN :most::int IS NULL THEN true ELSE n.place <= :most END
 ORDER BY n.table_name, n.place
