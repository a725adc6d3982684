-- name: pipeline.mark_import :affected
-- How far an import is.
-- param: import_id uuid
-- param: status text             validated, mapped, processed
-- allow: explain_failed the example of a status is one that only flows have
UPDATE discovery.data_imports AS i
   SET status = :status
 WHERE i.tenant_id = :tenant_id
   AND i.id = :import_id
   AND i.status <> :status
