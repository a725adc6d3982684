-- name: cases.put_documents :many
-- Catalogs documents, or notes what became of them. A document that another case of the project has
-- cataloged keeps its type.
-- param: project_id uuid
-- param: rows jsonb
-- budget: 20 buffers
INSERT INTO cases.case_documents AS d (
       tenant_id, project_id, case_id, document_id, document_type, title, status, entity_id, props)
SELECT :tenant_id, :project_id, r.case_id, r.document_id, coalesce(r.document_type, k.document_type, 'unspecified'), r.title,
       coalesce(r.status, 'received'), r.entity_id, r.props
  FROM jsonb_to_recordset(:rows) AS r (
       case_id text, document_id text, document_type text, title text, status text, entity_id text, props jsonb)
  LEFT JOIN LATERAL (
       SELECT o.document_type
         FROM cases.case_documents AS o
        WHERE o.tenant_id = :tenant_id AND o.project_id = :project_id AND o.document_id = r.document_id
        ORDER BY o.case_id = r.case_id DESC, o.id
        LIMIT 1) AS k ON true
 ORDER BY r.case_id, r.document_id
    ON CONFLICT (tenant_id, project_id, case_id, document_id) DO UPDATE
   SET document_type = excluded.document_type,
       title = coalesce(excluded.title, d.title),
       status = excluded.status,
       entity_id = coalesce(excluded.entity_id, d.entity_id),
       props = d.props || excluded.props
RETURNING d.case_id, d.document_id, old.id IS NULL AS inserted
