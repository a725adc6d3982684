-- name: cases.get :one
-- One case with what its documents made: roles, documents, products.
-- param: project_id uuid
-- param: case_id text
-- null: title, jurisdiction, customer_name, assigned_to
-- etag: current_version
-- budget: 200 buffers
SELECT c.id, c.case_id, c.case_type, c.title, c.status, c.state, c.priority, c.jurisdiction, c.customer_name, c.assigned_to,
       c.current_version, c.attributes, c.created_at, c.updated_at,
       (SELECT coalesce(jsonb_agg(jsonb_build_object('entity_id', r.entity_id, 'role', r.role, 'props', r.props)
                                  ORDER BY r.entity_id, r.role), '[]')
          FROM cases.case_roles AS r
         WHERE r.tenant_id = :tenant_id AND r.project_id = c.project_id AND r.case_id = c.case_id) AS roles,
       (SELECT coalesce(jsonb_agg(jsonb_build_object('document_id', d.document_id, 'document_type', d.document_type,
                                                     'title', d.title, 'status', d.status, 'entity_id', d.entity_id,
                                                     'props', d.props)
                                  ORDER BY d.document_id), '[]')
          FROM cases.case_documents AS d
         WHERE d.tenant_id = :tenant_id AND d.project_id = c.project_id AND d.case_id = c.case_id) AS documents,
       (SELECT coalesce(jsonb_agg(jsonb_build_object('product', p.product, 'status', p.status, 'props', p.props)
                                  ORDER BY p.product), '[]')
          FROM cases.case_products AS p
         WHERE p.tenant_id = :tenant_id AND p.project_id = c.project_id AND p.case_id = c.case_id) AS products
  FROM cases.cases AS c
 WHERE c.tenant_id = :tenant_id
   AND c.project_id = :project_id
   AND c.case_id = :case_id
   AND EXISTS (SELECT FROM workspace.projects AS w
                WHERE w.tenant_id = :tenant_id AND w.id = :project_id AND w.deleted_at IS NULL)
