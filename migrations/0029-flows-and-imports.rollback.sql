-- Everything of 0029 in reverse order. The events of flows go with them.

SET LOCAL lock_timeout = '3s';

SET LOCAL statement_timeout = '60s';

SET LOCAL ROLE quarry_owner;

DELETE FROM core.topic_events WHERE topic = 'flow';

DROP TABLE discovery.field_mappings;

DROP FUNCTION discovery.keep_field_mappings();

DROP TABLE discovery.discovery_flows;

DROP FUNCTION discovery.keep_discovery_flows();

DROP FUNCTION discovery.compute_progress();

DROP FUNCTION discovery.phases_progress(jsonb);

DROP TABLE discovery.data_imports;

DROP FUNCTION discovery.keep_data_imports();

DROP TABLE discovery.flow_transitions;

DROP FUNCTION discovery.keep_transition();

DROP TABLE discovery.master_flows;

DROP FUNCTION discovery.forget_flows();

DROP FUNCTION discovery.publish_flow();

DROP FUNCTION discovery.record_transition();

DROP FUNCTION discovery.keep_master_flows();

DROP FUNCTION discovery.step_flow();

DROP FUNCTION discovery.flow_steps(text);

DROP FUNCTION discovery.phase_progress(text);

ALTER DEFAULT PRIVILEGES FOR ROLE quarry_owner IN SCHEMA discovery REVOKE SELECT ON TABLES FROM quarry_readonly;

DROP SCHEMA discovery;
