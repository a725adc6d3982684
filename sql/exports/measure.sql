-- name: exports.measure :one
-- How much there is to export: documents, bytes in all, bytes of the largest.
-- param: project_id uuid
-- param: document_types text[]?   only these types
-- param: latest_only boolean      only the highest live version of each type
-- budget: 500 buffers
SELECT count(*) AS documents, coalesce(sum(octet_length(d.content)), 0)::bigint AS bytes,
       coalesce(max(octet_length(d.content)), 0) AS largest
  FROM workspace.document_versions AS d
 WHERE d.tenant_id = :tenant_id
   AND d.project_id = :project_id
   AND d.deleted_at IS NULL
   AND CASE WHEN :document_types::text[] IS NULL THEN true ELSE d.document_type = ANY (:document_types) END
   AND (NOT :latest_only::boolean
        OR NOT EXISTS (SELECT FROM workspace.document_versions AS n
                        WHERE n.tenant_id = :tenant_id
                          AND n.project_id = :project_id
                          AND n.document_type = d.document_type
                          AND n.version > d.version
                          AND n.deleted_at IS NULL))
