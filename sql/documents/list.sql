-- name: documents.list :page
-- The live document versions of a live project, without their content: by type, newest version first.
-- param: project_id uuid
-- param: document_type text?      only this type
-- param: latest_only boolean      only the highest live version of each type
-- param: after_document_type text?
-- param: after_version int?
-- param: limit int?
-- cursor: document_type, version desc
-- null: readability_score, grammar_score, created_by, based_on
-- plan: index
-- budget: 50 buffers
SELECT d.id, d.project_id, d.document_type, d.version, d.revision,
       encode(d.content_sha256, 'hex') AS content_sha256, octet_length(d.content) AS bytes,
       d.metadata, d.readability_score, d.grammar_score, d.created_by, d.based_on,
       d.created_at, d.updated_at
  FROM workspace.document_versions AS d
 WHERE d.tenant_id = :tenant_id
   AND d.project_id = :project_id
   AND d.deleted_at IS NULL
   AND CASE WHEN :document_type::text IS NULL THEN true ELSE d.document_type = :document_type END
   AND CASE WHEN NOT :latest_only::boolean THEN true
            ELSE NOT EXISTS (SELECT FROM workspace.document_versions AS n
                              WHERE n.tenant_id = :tenant_id
                                AND n.project_id = :project_id
                                AND n.document_type = d.document_type
                                AND n.version > d.version
                                AND n.deleted_at IS NULL) END
   AND EXISTS (SELECT FROM workspace.projects AS p
                WHERE p.tenant_id = :tenant_id
                  AND p.id = :project_id
                  AND p.deleted_at IS NULL)
   -- the first comparison is what the index can use, the second is exact
   AND d.document_type >= greatest(:after_document_type::text, '')
   AND (d.document_type > greatest(:after_document_type::text, '') OR d.version < :after_version)
 ORDER BY d.document_type, d.version DESC
 LIMIT :limit
