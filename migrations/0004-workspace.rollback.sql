-- Everything of 0004 in reverse order. Keys keep the user that they act as.

SET LOCAL lock_timeout = '3s';

SET LOCAL statement_timeout = '60s';

SET LOCAL ROLE quarry_owner;

DROP TABLE workspace.project_members;

DROP FUNCTION workspace.keep_membership();

DROP FUNCTION workspace.keep_an_owner();

DROP TABLE workspace.projects;

DROP FUNCTION workspace.add_first_owner();

DROP FUNCTION workspace.keep_language();

ALTER TABLE core.api_keys DROP CONSTRAINT api_keys_user_fkey;

DELETE FROM audit.personal_columns WHERE table_name = 'workspace.users';

DROP TABLE workspace.users;

ALTER DEFAULT PRIVILEGES FOR ROLE quarry_owner IN SCHEMA workspace REVOKE SELECT ON TABLES FROM quarry_readonly;

DROP SCHEMA workspace;
