-- name: erasure.forget_answers :affected
-- Empties stored answers that show something of these rows, so that no replay brings it back.
-- param: ids uuid[]
-- budget: 10000 buffers
UPDATE core.idempotency AS i
   SET body = NULL
 WHERE i.tenant_id = :tenant_id
   AND i.body IS NOT NULL
   AND EXISTS (SELECT FROM jsonb_array_elements(i.headers) AS h
                WHERE h ->> 0 = 'location'
                  AND split_part(h ->> 1, '/', 3) = ANY (:ids::uuid[]::text[]))
