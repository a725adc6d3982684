-- name: erasure.redact :value
-- Takes personal data of a user's removed rows out of the audit trail; how many events changed.
-- param: user_id uuid
-- param: of_table text
-- param: ids uuid[]
-- route: primary
SELECT assistant.redact(:user_id, :of_table, :ids)
