-- name: documents.search_count :value
-- How many versions documents.search finds in all.
-- param: project_id uuid
-- param: q text
-- param: document_type text?
-- param: latest_only boolean
-- budget: 500 buffers
WITH asked AS MATERIALIZED (
    SELECT workspace.text_search_config(p.language) AS config,
           websearch_to_tsquery(workspace.text_search_config(p.language), :q) AS query
      FROM workspace.projects AS p
     WHERE p.tenant_id = :tenant_id
       AND p.id = :project_id
       AND p.deleted_at IS NULL
)
SELECT count(*)
  FROM asked AS a
  JOIN workspace.document_versions AS d ON d.tenant_id = :tenant_id AND d.project_id = :project_id
 WHERE d.deleted_at IS NULL
   AND d.search @@ a.query
   AND CASE WHEN :document_type::text IS NULL THEN true ELSE d.document_type = :document_type END
   AND (NOT :latest_only::boolean
        OR NOT EXISTS (SELECT FROM workspace.document_versions AS n
                        WHERE n.tenant_id = :tenant_id
                          AND n.project_id = :project_id
                          AND n.document_type = d.document_type
                          AND n.version > d.version
                          AND n.deleted_at IS NULL))
