-- Everything of 0011 in reverse order. The files of exports stay on the disk as strays.

SET LOCAL lock_timeout = '3s';

SET LOCAL statement_timeout = '60s';

SET LOCAL ROLE quarry_owner;

DROP FUNCTION workspace.describe_exports(uuid[], uuid[]);

DROP FUNCTION workspace.abandon_exports();

DROP FUNCTION workspace.expire_exports(integer);

DROP TABLE workspace.exports;

DROP FUNCTION workspace.keep_export();
