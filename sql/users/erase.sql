-- name: users.erase :affected
-- Removes a user's personal data for good and deletes the user; the row stays so that history
-- stays linked. users.redact follows in the same transaction, for the audit trail.
-- param: user_id uuid
-- budget: 50 buffers
UPDATE workspace.users AS u
   SET email = 'erased-' || u.id || '@erased.invalid',
       name = 'erased',
       profile = '{}',
       deleted_at = coalesce(u.deleted_at, clock_timestamp())
 WHERE u.tenant_id = :tenant_id
   AND u.id = :user_id
