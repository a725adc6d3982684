-- Everything of 0028 in reverse order.

SET LOCAL lock_timeout = '3s';

SET LOCAL statement_timeout = '60s';

SET LOCAL ROLE quarry_owner;

DROP STATISTICS workspace.document_versions_of_project;
