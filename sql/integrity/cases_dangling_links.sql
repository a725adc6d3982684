-- name: integrity.cases_dangling_links :many
-- Links of cases that lead to no row, or to one of another tenant or project.
-- param: most int?   rows of evidence per table and kind of damage; all when absent
-- allow: tenant_predicate an operator looks at all tenants; row-level security holds a caller to its own
-- allow: seq_scan a check reads what it checks
-- budget: 200000 buffers
WITH damage AS (
    -- Not IS NULL: the planner takes NOT NULL at its word, and that word is what is looked at.
    SELECT 'cases.attribute_values' AS table_name, 'attribute_id' AS kind, c.tenant_id, c.id AS row_id,
           concat('attribute_id ', c.attribute_id, ' is no row of cases.dictionary') AS detail
      FROM cases.attribute_values AS c
     WHERE num_nulls(c.attribute_id) <> 1
       AND NOT EXISTS (SELECT FROM cases.dictionary AS p WHERE p.tenant_id = c.tenant_id AND p.id = c.attribute_id)
     UNION ALL
    SELECT 'cases.attribute_values' AS table_name, 'project_id' AS kind, c.tenant_id, c.id AS row_id,
           concat('project_id ', c.project_id, ' is no row of workspace.projects') AS detail
      FROM cases.attribute_values AS c
     WHERE num_nulls(c.project_id) <> 1
       AND NOT EXISTS (SELECT FROM workspace.projects AS p WHERE p.tenant_id = c.tenant_id AND p.id = c.project_id)
     UNION ALL
    SELECT 'cases.case_documents' AS table_name, 'case_id' AS kind, c.tenant_id, c.id AS row_id,
           concat('case_id ', c.case_id, ' is no row of cases.cases') AS detail
      FROM cases.case_documents AS c
     WHERE num_nulls(c.case_id) <> 1
       AND NOT EXISTS (SELECT FROM cases.cases AS p WHERE p.tenant_id = c.tenant_id AND p.project_id = c.project_id AND p.case_id = c.case_id)
     UNION ALL
    SELECT 'cases.case_documents' AS table_name, 'entity_id' AS kind, c.tenant_id, c.id AS row_id,
           concat('entity_id ', c.entity_id, ' is no row of cases.entities') AS detail
      FROM cases.case_documents AS c
     WHERE num_nulls(c.entity_id) <> 1
       AND NOT EXISTS (SELECT FROM cases.entities AS p WHERE p.tenant_id = c.tenant_id AND p.project_id = c.project_id AND p.entity_id = c.entity_id)
     UNION ALL
    SELECT 'cases.case_events' AS table_name, 'case_id' AS kind, c.tenant_id, c.id AS row_id,
           concat('case_id ', c.case_id, ' is no row of cases.cases') AS detail
      FROM cases.case_events AS c
     WHERE num_nulls(c.case_id) <> 1
       AND NOT EXISTS (SELECT FROM cases.cases AS p WHERE p.tenant_id = c.tenant_id AND p.project_id = c.project_id AND p.case_id = c.case_id)
     UNION ALL
    SELECT 'cases.case_events' AS table_name, 'project_id' AS kind, c.tenant_id, c.id AS row_id,
           concat('project_id ', c.project_id, ' is no row of workspace.projects') AS detail
      FROM cases.case_events AS c
     WHERE num_nulls(c.project_id) <> 1
       AND NOT EXISTS (SELECT FROM workspace.projects AS p WHERE p.tenant_id = c.tenant_id AND p.id = c.project_id)
     UNION ALL
    SELECT 'cases.case_products' AS table_name, 'case_id' AS kind, c.tenant_id, c.id AS row_id,
           concat('case_id ', c.case_id, ' is no row of cases.cases') AS detail
      FROM cases.case_products AS c
     WHERE num_nulls(c.case_id) <> 1
       AND NOT EXISTS (SELECT FROM cases.cases AS p WHERE p.tenant_id = c.tenant_id AND p.project_id = c.project_id AND p.case_id = c.case_id)
     UNION ALL
    SELECT 'cases.case_roles' AS table_name, 'case_id' AS kind, c.tenant_id, c.id AS row_id,
           concat('case_id ', c.case_id, ' is no row of cases.cases') AS detail
      FROM cases.case_roles AS c
     WHERE num_nulls(c.case_id) <> 1
       AND NOT EXISTS (SELECT FROM cases.cases AS p WHERE p.tenant_id = c.tenant_id AND p.project_id = c.project_id AND p.case_id = c.case_id)
     UNION ALL
    SELECT 'cases.case_roles' AS table_name, 'entity_id' AS kind, c.tenant_id, c.id AS row_id,
           concat('entity_id ', c.entity_id, ' is no row of cases.entities') AS detail
      FROM cases.case_roles AS c
     WHERE num_nulls(c.entity_id) <> 1
       AND NOT EXISTS (SELECT FROM cases.entities AS p WHERE p.tenant_id = c.tenant_id AND p.project_id = c.project_id AND p.entity_id = c.entity_id)
     UNION ALL
    SELECT 'cases.case_versions' AS table_name, 'case_id' AS kind, c.tenant_id, c.id AS row_id,
           concat('case_id ', c.case_id, ' is no row of cases.cases') AS detail
      FROM cases.case_versions AS c
     WHERE num_nulls(c.case_id) <> 1
       AND NOT EXISTS (SELECT FROM cases.cases AS p WHERE p.tenant_id = c.tenant_id AND p.project_id = c.project_id AND p.case_id = c.case_id)
     UNION ALL
    SELECT 'cases.cases' AS table_name, 'project_id' AS kind, c.tenant_id, c.id AS row_id,
           concat('project_id ', c.project_id, ' is no row of workspace.projects') AS detail
      FROM cases.cases AS c
     WHERE num_nulls(c.project_id) <> 1
       AND NOT EXISTS (SELECT FROM workspace.projects AS p WHERE p.tenant_id = c.tenant_id AND p.id = c.project_id)
     UNION ALL
    SELECT 'cases.dictionary' AS table_name, 'tenant_id' AS kind, c.tenant_id, c.id AS row_id,
           concat('tenant_id ', c.tenant_id, ' is no row of core.tenants') AS detail
      FROM cases.dictionary AS c
     WHERE NOT EXISTS (SELECT FROM core.tenants AS p WHERE p.id = c.tenant_id)
     UNION ALL
    SELECT 'cases.dsl_operations' AS table_name, 'project_id' AS kind, c.tenant_id, c.id AS row_id,
           concat('project_id ', c.project_id, ' is no row of workspace.projects') AS detail
      FROM cases.dsl_operations AS c
     WHERE num_nulls(c.project_id) <> 1
       AND NOT EXISTS (SELECT FROM workspace.projects AS p WHERE p.tenant_id = c.tenant_id AND p.id = c.project_id)
     UNION ALL
    SELECT 'cases.dsl_proposals' AS table_name, 'project_id' AS kind, c.tenant_id, c.id AS row_id,
           concat('project_id ', c.project_id, ' is no row of workspace.projects') AS detail
      FROM cases.dsl_proposals AS c
     WHERE num_nulls(c.project_id) <> 1
       AND NOT EXISTS (SELECT FROM workspace.projects AS p WHERE p.tenant_id = c.tenant_id AND p.id = c.project_id)
     UNION ALL
    SELECT 'cases.entities' AS table_name, 'project_id' AS kind, c.tenant_id, c.id AS row_id,
           concat('project_id ', c.project_id, ' is no row of workspace.projects') AS detail
      FROM cases.entities AS c
     WHERE num_nulls(c.project_id) <> 1
       AND NOT EXISTS (SELECT FROM workspace.projects AS p WHERE p.tenant_id = c.tenant_id AND p.id = c.project_id)
     UNION ALL
    SELECT 'cases.entity_links' AS table_name, 'from_entity' AS kind, c.tenant_id, c.id AS row_id,
           concat('from_entity ', c.from_entity, ' is no row of cases.entities') AS detail
      FROM cases.entity_links AS c
     WHERE num_nulls(c.from_entity) <> 1
       AND NOT EXISTS (SELECT FROM cases.entities AS p WHERE p.tenant_id = c.tenant_id AND p.project_id = c.project_id AND p.entity_id = c.from_entity)
     UNION ALL
    SELECT 'cases.entity_links' AS table_name, 'project_id' AS kind, c.tenant_id, c.id AS row_id,
           concat('project_id ', c.project_id, ' is no row of workspace.projects') AS detail
      FROM cases.entity_links AS c
     WHERE num_nulls(c.project_id) <> 1
       AND NOT EXISTS (SELECT FROM workspace.projects AS p WHERE p.tenant_id = c.tenant_id AND p.id = c.project_id)
     UNION ALL
    SELECT 'cases.entity_links' AS table_name, 'to_entity' AS kind, c.tenant_id, c.id AS row_id,
           concat('to_entity ', c.to_entity, ' is no row of cases.entities') AS detail
      FROM cases.entity_links AS c
     WHERE num_nulls(c.to_entity) <> 1
       AND NOT EXISTS (SELECT FROM cases.entities AS p WHERE p.tenant_id = c.tenant_id AND p.project_id = c.project_id AND p.entity_id = c.to_entity)
), numbered AS (
    SELECT d.table_name, d.kind, d.tenant_id, d.row_id, d.detail,
           count(*) OVER (PARTITION BY d.table_name, d.kind) AS total,
           row_number() OVER (PARTITION BY d.table_name, d.kind ORDER BY d.tenant_id, d.row_id) AS place
      FROM damage AS d
     WHERE CASE WHEN :tenant_id::uuid IS NULL THEN true ELSE d.tenant_id = :tenant_id END
)
SELECT 'cases_dangling_links' AS check_name, n.table_name, n.kind, n.tenant_id, n.row_id, n.detail, n.total AS count
  FROM numbered AS n
 WHERE CASE WHEN :most::int IS NULL THEN true ELSE n.place <= :most END
 ORDER BY n.table_name, n.place
