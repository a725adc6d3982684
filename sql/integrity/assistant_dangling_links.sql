-- name: integrity.assistant_dangling_links :many
-- Links of conversations, messages, memories and files that lead to no row, or to one of another tenant.
-- param: most int?   rows of evidence per table and kind of damage; all when absent
-- allow: tenant_predicate an operator looks at all tenants; row-level security holds a caller to its own
-- allow: seq_scan a check reads what it checks
-- budget: 50000 buffers
WITH damage AS (
    -- Not IS NULL: the planner takes NOT NULL at its word, and that word is what is looked at.
    SELECT 'assistant.conversations' AS table_name, 'parent_conversation_id' AS kind, c.tenant_id, c.id AS row_id,
           concat('parent_conversation_id ', c.parent_conversation_id, ' is no row of assistant.conversations') AS detail
      FROM assistant.conversations AS c
     WHERE num_nulls(c.parent_conversation_id) <> 1
       AND NOT EXISTS (SELECT FROM assistant.conversations AS p WHERE p.tenant_id = c.tenant_id AND p.id = c.parent_conversation_id)
     UNION ALL
    SELECT 'assistant.conversations' AS table_name, 'user_id' AS kind, c.tenant_id, c.id AS row_id,
           concat('user_id ', c.user_id, ' is no row of workspace.users') AS detail
      FROM assistant.conversations AS c
     WHERE num_nulls(c.user_id) <> 1
       AND NOT EXISTS (SELECT FROM workspace.users AS p WHERE p.tenant_id = c.tenant_id AND p.id = c.user_id)
     UNION ALL
    SELECT 'assistant.files' AS table_name, 'conversation_id' AS kind, c.tenant_id, c.id AS row_id,
           concat('conversation_id ', c.conversation_id, ' is no row of assistant.conversations') AS detail
      FROM assistant.files AS c
     WHERE num_nulls(c.conversation_id) <> 1
       AND NOT EXISTS (SELECT FROM assistant.conversations AS p WHERE p.tenant_id = c.tenant_id AND p.id = c.conversation_id)
     UNION ALL
    SELECT 'assistant.files' AS table_name, 'user_id' AS kind, c.tenant_id, c.id AS row_id,
           concat('user_id ', c.user_id, ' is no row of workspace.users') AS detail
      FROM assistant.files AS c
     WHERE num_nulls(c.user_id) <> 1
       AND NOT EXISTS (SELECT FROM workspace.users AS p WHERE p.tenant_id = c.tenant_id AND p.id = c.user_id)
     UNION ALL
    SELECT 'assistant.memories' AS table_name, 'conversation_id' AS kind, c.tenant_id, c.id AS row_id,
           concat('conversation_id ', c.conversation_id, ' is no row of assistant.conversations') AS detail
      FROM assistant.memories AS c
     WHERE num_nulls(c.conversation_id) <> 1
       AND NOT EXISTS (SELECT FROM assistant.conversations AS p WHERE p.tenant_id = c.tenant_id AND p.id = c.conversation_id)
     UNION ALL
    SELECT 'assistant.memories' AS table_name, 'user_id' AS kind, c.tenant_id, c.id AS row_id,
           concat('user_id ', c.user_id, ' is no row of workspace.users') AS detail
      FROM assistant.memories AS c
     WHERE num_nulls(c.user_id) <> 1
       AND NOT EXISTS (SELECT FROM workspace.users AS p WHERE p.tenant_id = c.tenant_id AND p.id = c.user_id)
     UNION ALL
    SELECT 'assistant.memory_generations' AS table_name, 'user_id' AS kind, c.tenant_id, c.user_id AS row_id,
           concat('user_id ', c.user_id, ' is no row of workspace.users') AS detail
      FROM assistant.memory_generations AS c
     WHERE num_nulls(c.user_id) <> 1
       AND NOT EXISTS (SELECT FROM workspace.users AS p WHERE p.tenant_id = c.tenant_id AND p.id = c.user_id)
     UNION ALL
    SELECT 'assistant.messages' AS table_name, 'conversation_id' AS kind, c.tenant_id, c.id AS row_id,
           concat('conversation_id ', c.conversation_id, ' is no row of assistant.conversations') AS detail
      FROM assistant.messages AS c
     WHERE num_nulls(c.conversation_id) <> 1
       AND NOT EXISTS (SELECT FROM assistant.conversations AS p WHERE p.tenant_id = c.tenant_id AND p.id = c.conversation_id)
), numbered AS (
    SELECT d.table_name, d.kind, d.tenant_id, d.row_id, d.detail,
           count(*) OVER (PARTITION BY d.table_name, d.kind) AS total,
           row_number() OVER (PARTITION BY d.table_name, d.kind ORDER BY d.tenant_id, d.row_id) AS place
      FROM damage AS d
     WHERE CASE WHEN :tenant_id::uuid IS NULL THEN true ELSE d.tenant_id = :tenant_id END
)
SELECT 'assistant_dangling_links' AS check_name, n.table_name, n.kind, n.tenant_id, n.row_id, n.detail, n.total AS count
  FROM numbered AS n
 WHERE CASE WHEN :most::int IS NULL THEN true ELSE n.place <= :most END
 ORDER BY n.table_name, n.place
