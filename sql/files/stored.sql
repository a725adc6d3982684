-- name: files.stored :many
-- Which of these names on the disk belong to live files.
-- param: names text[]
-- null: stored_name
-- budget: 20 buffers
SELECT f.stored_name
  FROM assistant.files AS f
 WHERE f.tenant_id = :tenant_id
   AND f.stored_name = ANY (:names::text[])
   AND f.deleted_at IS NULL
