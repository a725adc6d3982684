-- Everything of this migration in reverse order.

SET LOCAL lock_timeout = '3s';

SET LOCAL statement_timeout = '60s';

SET LOCAL ROLE quarry_owner;

DROP TRIGGER tenants_starter_attributes ON core.tenants;

DROP FUNCTION cases.give_starter_attributes();

DROP TABLE cases.dictionary;

DROP TABLE cases.starter_attributes;

DROP FUNCTION cases.rules_fit(text, jsonb);

DROP FUNCTION cases.misfit(text, jsonb, jsonb);

DROP FUNCTION cases.misformed(text, text);

DROP FUNCTION cases.iban_length(text);

DROP FUNCTION cases.checks_out(text, text);
