-- Everything of 0032 in reverse order. What was repaired stays repaired; what was put aside is lost.

SET LOCAL lock_timeout = '3s';

SET LOCAL statement_timeout = '60s';

SET LOCAL ROLE quarry_owner;

DROP FUNCTION ops.undo_repairs(uuid);

DROP FUNCTION ops.apply_repairs(uuid);

DROP FUNCTION ops.note_repairs(uuid, boolean);

DROP FUNCTION ops.rest_triggers(text[], jsonb);

DROP FUNCTION ops.gather_repairs(uuid);

-- squawk-ignore ban-drop-view
DROP VIEW ops.quarantine;

DROP TABLE ops.repairs;
