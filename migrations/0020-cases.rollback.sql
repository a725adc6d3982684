-- Everything of this migration in reverse order.

SET LOCAL lock_timeout = '3s';

SET LOCAL statement_timeout = '60s';

SET LOCAL ROLE quarry_owner;

DROP FUNCTION cases.take_turn(uuid, text[]);

DROP FUNCTION cases.reset_case(uuid, text);

DROP TABLE cases.dsl_proposals;

DROP TABLE cases.dsl_operations;

DROP TABLE cases.attribute_values;

DROP FUNCTION cases.check_value();

DROP TABLE cases.case_events;

DROP TABLE cases.case_products;

DROP TABLE cases.case_documents;

DROP TABLE cases.case_roles;

DROP TABLE cases.entity_links;

DROP FUNCTION cases.keep_ownership_sum();

DROP TABLE cases.entities;

DROP TABLE cases.case_versions;

DROP FUNCTION cases.refuse_change();

DROP FUNCTION cases.number_version();

DROP FUNCTION cases.apply_transitions(uuid, jsonb);

DROP TABLE cases.cases;

DROP FUNCTION cases.keep_to_transitions();
