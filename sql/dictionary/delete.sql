-- name: dictionary.delete :affected
-- Removes an attribute of the expected version that no value has.
-- param: attribute_id uuid
-- param: expected_version bigint?   any version when absent (If-Match: *)
-- budget: 50 buffers
DELETE FROM cases.dictionary AS d
 WHERE d.tenant_id = :tenant_id
   AND d.id = :attribute_id
   AND (:expected_version::bigint IS NULL OR d.version = :expected_version)
