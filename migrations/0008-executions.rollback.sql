-- Everything of 0008 in reverse order.

SET LOCAL lock_timeout = '3s';

SET LOCAL statement_timeout = '60s';

SET LOCAL ROLE quarry_owner;

DROP FUNCTION workspace.sweep_executions(interval, integer);

DROP TABLE workspace.agent_executions;

DROP FUNCTION workspace.forget_executions();

DROP FUNCTION workspace.publish_execution();

DROP FUNCTION workspace.keep_execution();

DROP FUNCTION workspace.touch_execution();

DROP FUNCTION workspace.step_execution();

DROP FUNCTION workspace.refuse_step(text, text);

DROP FUNCTION workspace.execution_steps(text);

DROP FUNCTION core.sweep_events(interval, integer);

DROP TABLE core.topic_events;

DROP FUNCTION core.announce_events();
