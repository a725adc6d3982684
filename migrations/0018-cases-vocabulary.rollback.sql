-- Everything of this migration in reverse order.

SET LOCAL lock_timeout = '3s';

SET LOCAL statement_timeout = '60s';

SET LOCAL ROLE quarry_owner;

DROP TABLE cases.transitions;

DROP FUNCTION cases.seed_verbs(jsonb);

DROP TABLE cases.verbs;

DROP FUNCTION cases.arguments_fit(jsonb);

ALTER DEFAULT PRIVILEGES FOR ROLE quarry_owner IN SCHEMA cases REVOKE SELECT ON TABLES FROM quarry_readonly;

DROP SCHEMA cases;
