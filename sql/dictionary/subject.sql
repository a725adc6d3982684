-- name: dictionary.subject :value
-- Whether a live project has a case, entity or document of this id.
-- param: project_id uuid
-- param: subject_kind text
-- param: subject_id text
-- budget: 50 buffers
SELECT CASE :subject_kind
       WHEN 'case' THEN EXISTS (SELECT FROM cases.cases AS c
                                 WHERE c.tenant_id = :tenant_id AND c.project_id = p.id AND c.case_id = :subject_id)
       WHEN 'entity' THEN EXISTS (SELECT FROM cases.entities AS e
                                   WHERE e.tenant_id = :tenant_id AND e.project_id = p.id AND e.entity_id = :subject_id)
       ELSE EXISTS (SELECT FROM cases.case_documents AS d
                     WHERE d.tenant_id = :tenant_id AND d.project_id = p.id AND d.document_id = :subject_id)
       END AS known
  FROM workspace.projects AS p
 WHERE p.tenant_id = :tenant_id
   AND p.id = :project_id
   AND p.deleted_at IS NULL
