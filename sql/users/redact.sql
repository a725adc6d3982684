-- name: users.redact :value
-- Takes a user's personal data out of the tenant's audit events; answers how many events changed.
-- A statement of its own: the event of users.erase exists only after that statement.
-- param: user_id uuid
-- route: primary
SELECT audit.redact('workspace.users', :user_id)
