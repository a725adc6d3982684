-- depends: 0017-memory-generations
-- The vocabulary of the cases: verbs and the state machine, as data.

SET LOCAL lock_timeout = '3s';

SET LOCAL statement_timeout = '60s';

SET LOCAL ROLE quarry_owner;

CREATE SCHEMA cases;

COMMENT ON SCHEMA cases IS 'Onboarding and KYC: documents of the case language, and what they say as tables.';

GRANT USAGE ON SCHEMA cases TO quarry_app, quarry_readonly, quarry_backup;

ALTER DEFAULT PRIVILEGES FOR ROLE quarry_owner IN SCHEMA cases GRANT SELECT ON TABLES TO quarry_readonly;

CREATE FUNCTION cases.arguments_fit(arguments jsonb) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT CASE WHEN jsonb_typeof(arguments) <> 'array' THEN false
                ELSE NOT EXISTS (
                    SELECT FROM jsonb_array_elements(arguments) AS a
                     WHERE jsonb_typeof(a) <> 'object'
                        OR a ->> 'name' IS NULL
                        OR a ->> 'name' !~ '^[a-z][a-z0-9_-]*$'
                        OR a ->> 'type' !~ '^(list of )*(string|text|number|percent|money|date|datetime|uuid|boolean|map|any|(entity|case|document|attr|user)-ref|enum\[[A-Za-z0-9_|-]+\])$'
                        OR a - '{name,type,required,aliases,slot,summary,of_case,deprecated}'::text[] <> '{}')
           END;
END;

COMMENT ON FUNCTION cases.arguments_fit(jsonb) IS 'Whether a verb''s arguments are an array of {name, type, required?, aliases?, slot?, summary?, of_case?, deprecated?}.';

GRANT EXECUTE ON FUNCTION cases.arguments_fit(jsonb) TO quarry_app, quarry_readonly, quarry_backup;

CREATE TABLE cases.verbs (
    name text NOT NULL,
    domain text NOT NULL,
    summary text NOT NULL,
    effect text NOT NULL,
    arguments jsonb NOT NULL DEFAULT '[]',
    preset jsonb NOT NULL DEFAULT '{}',
    stage integer,
    at_least integer NOT NULL DEFAULT 0,
    deprecated boolean NOT NULL DEFAULT false,
    replacement text,
    CONSTRAINT verbs_pkey PRIMARY KEY (name),
    CONSTRAINT verbs_name_shape CHECK (name ~ '^[a-z][a-z0-9_-]*(\.[a-z][a-z0-9_-]*)?$'),
    CONSTRAINT verbs_domain_of_name CHECK (domain = CASE WHEN strpos(name, '.') > 0 THEN split_part(name, '.', 1) ELSE '' END),
    CONSTRAINT verbs_effect_known CHECK (effect IN (
        'case.create', 'case.update', 'case.transition', 'entity.upsert', 'entity.link', 'role.assign',
        'product.set', 'document.put', 'value.set', 'attribute.define', 'event')),
    CONSTRAINT verbs_arguments_shape CHECK (cases.arguments_fit(arguments)),
    CONSTRAINT verbs_preset_object CHECK (jsonb_typeof(preset) = 'object'),
    CONSTRAINT verbs_stage_range CHECK (stage BETWEEN 1 AND 4),
    CONSTRAINT verbs_at_least_range CHECK (at_least BETWEEN 0 AND 50)
);

COMMENT ON TABLE cases.verbs IS 'The verbs of the case language. The same rows drive validation, completion, prompts and documentation.';

COMMENT ON COLUMN cases.verbs.name IS 'What stands behind the opening parenthesis.';

COMMENT ON COLUMN cases.verbs.domain IS 'The part before the first dot; empty for bare verbs.';

COMMENT ON COLUMN cases.verbs.summary IS 'What it does, in one sentence.';

COMMENT ON COLUMN cases.verbs.effect IS 'What the service does with a form of it; another effect takes code.';

COMMENT ON COLUMN cases.verbs.arguments IS 'Its arguments in order; slot: the effect''s field that it fills, by default its name with _ for -.';

COMMENT ON COLUMN cases.verbs.preset IS 'Fields of the effect that the verb fills itself.';

COMMENT ON COLUMN cases.verbs.stage IS 'Its place in the order of onboarding: 1 case.create, 2 kyc.start, 3 products.add, 4 services.*; NULL: none.';

COMMENT ON COLUMN cases.verbs.at_least IS 'How many arguments a form has at the least.';

COMMENT ON COLUMN cases.verbs.deprecated IS 'Still understood, with a warning.';

COMMENT ON COLUMN cases.verbs.replacement IS 'The verb to use instead.';

GRANT SELECT ON cases.verbs TO quarry_app;

CREATE FUNCTION cases.seed_verbs(verbs jsonb) RETURNS bigint
    LANGUAGE sql
BEGIN ATOMIC
    WITH seeded AS (
        INSERT INTO cases.verbs (name, domain, summary, effect, arguments, preset, stage, at_least, deprecated, replacement)
        SELECT v.name, v.domain, v.summary, v.effect, v.arguments, coalesce(v.preset, '{}'), v.stage,
               coalesce(v.at_least, 0::integer), coalesce(v.deprecated, false), v.replacement
          FROM jsonb_to_recordset(verbs) AS v (
               name text, domain text, summary text, effect text, arguments jsonb, preset jsonb, stage integer,
               at_least integer, deprecated boolean, replacement text)
            ON CONFLICT (name) DO UPDATE
           SET summary = excluded.summary, effect = excluded.effect, arguments = excluded.arguments, preset = excluded.preset,
               stage = excluded.stage, at_least = excluded.at_least, deprecated = excluded.deprecated,
               replacement = excluded.replacement
        RETURNING 1
    )
    SELECT count(*) FROM seeded;
END;

COMMENT ON FUNCTION cases.seed_verbs(jsonb) IS 'For migrations: verbs from a JSON array; one that is there already is replaced. Answers how many.';

DO $$
BEGIN
    PERFORM cases.seed_verbs($verbs$[
{"name": "case.create", "domain": "case", "summary": "Opens a case.", "effect": "case.create", "stage": 1, "arguments": [
    {"name": "case-id", "type": "string", "required": true, "aliases": ["id"]},
    {"name": "case-type", "type": "string", "aliases": ["type"]},
    {"name": "title", "type": "string", "aliases": ["name"]},
    {"name": "priority", "type": "enum[low|normal|high|urgent]"},
    {"name": "jurisdiction", "type": "string"},
    {"name": "customer-name", "type": "string", "aliases": ["client-name"]},
    {"name": "assigned-to", "type": "user-ref", "aliases": ["assignee"]},
    {"name": "description", "type": "text"},
    {"name": "nature-purpose", "type": "text"},
    {"name": "entity-id", "type": "string", "aliases": ["customer-entity"]},
    {"name": "due-date", "type": "date"},
    {"name": "risk-rating", "type": "enum[low|medium|high|prohibited]"},
    {"name": "tags", "type": "list of string"}]},
{"name": "case.update", "domain": "case", "summary": "Changes a case: at least one thing beside its id.", "effect": "case.update", "at_least": 2, "arguments": [
    {"name": "case-id", "type": "case-ref", "required": true, "aliases": ["id"]},
    {"name": "case-type", "type": "string", "aliases": ["type"]},
    {"name": "title", "type": "string", "aliases": ["name"]},
    {"name": "priority", "type": "enum[low|normal|high|urgent]"},
    {"name": "jurisdiction", "type": "string"},
    {"name": "customer-name", "type": "string", "aliases": ["client-name"]},
    {"name": "assigned-to", "type": "user-ref", "aliases": ["assignee"]},
    {"name": "description", "type": "text"},
    {"name": "nature-purpose", "type": "text"},
    {"name": "entity-id", "type": "string", "aliases": ["customer-entity"]},
    {"name": "due-date", "type": "date"},
    {"name": "risk-rating", "type": "enum[low|medium|high|prohibited]"},
    {"name": "tags", "type": "list of string"}]},
{"name": "case.validate", "domain": "case", "summary": "Notes that a case was validated.", "effect": "event", "arguments": [
    {"name": "case-id", "type": "case-ref"},
    {"name": "result", "type": "enum[passed|failed|partial]"},
    {"name": "checks", "type": "list of string"},
    {"name": "comments", "type": "text"}]},
{"name": "case.approve", "domain": "case", "summary": "Approves a case that is in review.", "effect": "case.transition", "preset": {"to_state": "approved"}, "arguments": [
    {"name": "case-id", "type": "case-ref", "required": true, "aliases": ["id"]},
    {"name": "approved-by", "type": "user-ref", "aliases": ["approver"]},
    {"name": "reason", "type": "text", "aliases": ["comments"]},
    {"name": "conditions", "type": "list of string"},
    {"name": "effective-date", "type": "date"}]},
{"name": "case.close", "domain": "case", "summary": "Closes a case; nothing follows.", "effect": "case.transition", "preset": {"to_state": "closed"}, "arguments": [
    {"name": "case-id", "type": "case-ref", "required": true, "aliases": ["id"]},
    {"name": "reason", "type": "text"},
    {"name": "closed-by", "type": "user-ref"},
    {"name": "outcome", "type": "string"}]},
{"name": "workflow.transition", "domain": "workflow", "summary": "Moves a case to another state.", "effect": "case.transition", "arguments": [
    {"name": "case-id", "type": "case-ref"},
    {"name": "to-state", "type": "enum[created|collecting|verifying|assessing|in_review|approved|rejected|active|suspended|closed]", "required": true, "aliases": ["to"]},
    {"name": "from-state", "type": "string", "aliases": ["from"]},
    {"name": "reason", "type": "text"},
    {"name": "by", "type": "user-ref"}]},
{"name": "workflow.gate", "domain": "workflow", "summary": "Notes the result of a gate of the workflow.", "effect": "event", "arguments": [
    {"name": "case-id", "type": "case-ref"},
    {"name": "gate-id", "type": "string", "aliases": ["gate"]},
    {"name": "conditions", "type": "list of string", "aliases": ["condition"]},
    {"name": "result", "type": "enum[passed|failed|waived]"},
    {"name": "reason", "type": "text"}]},
{"name": "tasks.create", "domain": "tasks", "summary": "Opens a task.", "effect": "event", "arguments": [
    {"name": "case-id", "type": "case-ref"},
    {"name": "task-id", "type": "string", "required": true, "aliases": ["id"]},
    {"name": "title", "type": "string"},
    {"name": "description", "type": "text"},
    {"name": "assignee", "type": "user-ref", "aliases": ["assigned-to"]},
    {"name": "due-date", "type": "date"},
    {"name": "priority", "type": "enum[low|normal|high|urgent]"}]},
{"name": "tasks.assign", "domain": "tasks", "summary": "Gives a task to somebody.", "effect": "event", "arguments": [
    {"name": "case-id", "type": "case-ref"},
    {"name": "task-id", "type": "string", "required": true, "aliases": ["id"]},
    {"name": "assignee", "type": "user-ref", "required": true, "aliases": ["assigned-to", "to"]}]},
{"name": "tasks.complete", "domain": "tasks", "summary": "Ends a task.", "effect": "event", "arguments": [
    {"name": "case-id", "type": "case-ref"},
    {"name": "task-id", "type": "string", "required": true, "aliases": ["id"]},
    {"name": "outcome", "type": "string", "aliases": ["result"]},
    {"name": "completed-by", "type": "user-ref"}]},
{"name": "entity.register", "domain": "entity", "summary": "Registers an entity, or adds to what is known of it.", "effect": "entity.upsert", "arguments": [
    {"name": "case-id", "type": "case-ref"},
    {"name": "entity-id", "type": "string", "required": true, "of_case": true, "aliases": ["id"]},
    {"name": "entity-type", "type": "enum[limited_company|public_company|corporation|llc|partnership|limited_partnership|general_partner|proper_person|sole_trader|trust|foundation|fund|hedge_fund|umbrella_fund|pension_fund|management_company|bank|insurer|spv|government|charity|company|other]", "required": true, "aliases": ["type"]},
    {"name": "name", "type": "string", "aliases": ["legal-name"]},
    {"name": "jurisdiction", "type": "string", "aliases": ["country"]},
    {"name": "registration-number", "type": "string"},
    {"name": "lei", "type": "string"},
    {"name": "incorporation-date", "type": "date"},
    {"name": "date-of-birth", "type": "date"},
    {"name": "nationality", "type": "string"},
    {"name": "address", "type": "text"},
    {"name": "tax-id", "type": "string"},
    {"name": "status", "type": "string"},
    {"name": "aum", "type": "money"},
    {"name": "props", "type": "map"}]},
{"name": "entity.classify", "domain": "entity", "summary": "Says what kind of entity an entity is.", "effect": "entity.upsert", "arguments": [
    {"name": "case-id", "type": "case-ref"},
    {"name": "entity-id", "type": "entity-ref", "required": true, "of_case": true, "aliases": ["entity", "id"]},
    {"name": "entity-type", "type": "enum[limited_company|public_company|corporation|llc|partnership|limited_partnership|general_partner|proper_person|sole_trader|trust|foundation|fund|hedge_fund|umbrella_fund|pension_fund|management_company|bank|insurer|spv|government|charity|company|other]", "aliases": ["type"]},
    {"name": "classification", "type": "string", "aliases": ["category"]},
    {"name": "sector", "type": "string"},
    {"name": "regulated", "type": "boolean"},
    {"name": "pep", "type": "boolean"},
    {"name": "risk-rating", "type": "enum[low|medium|high|prohibited]"}]},
{"name": "entity.link", "domain": "entity", "summary": "Links two entities: from owns, controls or serves to.", "effect": "entity.link", "arguments": [
    {"name": "case-id", "type": "case-ref"},
    {"name": "from-entity", "type": "entity-ref", "required": true, "aliases": ["from"]},
    {"name": "to-entity", "type": "entity-ref", "required": true, "aliases": ["to"]},
    {"name": "relationship-type", "type": "string", "required": true, "aliases": ["type", "relationship"]},
    {"name": "ownership-percent", "type": "percent", "aliases": ["percent", "percentage", "ownership"]},
    {"name": "verification-status", "type": "enum[pending|verified|rejected|expired]", "slot": "verification"},
    {"name": "evidence", "type": "list of document-ref"},
    {"name": "effective-date", "type": "date"},
    {"name": "description", "type": "text"}]},
{"name": "identity.verify", "domain": "identity", "summary": "Notes that an identity was verified.", "effect": "event", "arguments": [
    {"name": "case-id", "type": "case-ref"},
    {"name": "entity-id", "type": "entity-ref", "aliases": ["entity"]},
    {"name": "document-id", "type": "document-ref", "aliases": ["doc-id"]},
    {"name": "method", "type": "string"},
    {"name": "status", "type": "enum[pending|verified|rejected|expired]"},
    {"name": "evidence", "type": "list of document-ref"},
    {"name": "verified-at", "type": "datetime"}]},
{"name": "identity.attest", "domain": "identity", "summary": "Notes who attests an identity.", "effect": "event", "arguments": [
    {"name": "case-id", "type": "case-ref"},
    {"name": "entity-id", "type": "entity-ref", "aliases": ["entity"]},
    {"name": "attested-by", "type": "user-ref", "aliases": ["by"]},
    {"name": "document-id", "type": "document-ref", "aliases": ["doc-id"]},
    {"name": "statement", "type": "text"},
    {"name": "date", "type": "date"}]},
{"name": "role.assign", "domain": "role", "summary": "Gives an entity a role in a case.", "effect": "role.assign", "arguments": [
    {"name": "case-id", "type": "case-ref"},
    {"name": "entity", "type": "entity-ref", "required": true, "aliases": ["entity-id"], "slot": "entity_id"},
    {"name": "role", "type": "string", "required": true, "aliases": ["role-type"]},
    {"name": "from-date", "type": "date", "aliases": ["effective-date"]},
    {"name": "to-date", "type": "date"},
    {"name": "scope", "type": "string"}]},
{"name": "products.add", "domain": "products", "summary": "Adds products to a case.", "effect": "product.set", "preset": {"status": "requested"}, "stage": 3, "at_least": 1, "arguments": [
    {"name": "case-id", "type": "case-ref"},
    {"name": "products", "type": "list of string"},
    {"name": "product", "type": "string", "aliases": ["product-id"]},
    {"name": "reason", "type": "text"}]},
{"name": "products.configure", "domain": "products", "summary": "Configures a product of a case.", "effect": "product.set", "preset": {"status": "configured"}, "stage": 3, "arguments": [
    {"name": "case-id", "type": "case-ref"},
    {"name": "product", "type": "string", "required": true, "aliases": ["product-id"]},
    {"name": "config", "type": "map", "aliases": ["configuration"]},
    {"name": "settings", "type": "map"}]},
{"name": "services.discover", "domain": "services", "summary": "Finds the services that a product needs.", "effect": "event", "stage": 4, "arguments": [
    {"name": "case-id", "type": "case-ref"},
    {"name": "product", "type": "string", "aliases": ["product-id"]},
    {"name": "services", "type": "list of string"}]},
{"name": "services.provision", "domain": "services", "summary": "Provisions a service.", "effect": "event", "stage": 4, "arguments": [
    {"name": "case-id", "type": "case-ref"},
    {"name": "service", "type": "string", "required": true, "aliases": ["service-id"]},
    {"name": "product", "type": "string"},
    {"name": "config", "type": "map"}]},
{"name": "services.activate", "domain": "services", "summary": "Activates a service.", "effect": "event", "stage": 4, "arguments": [
    {"name": "case-id", "type": "case-ref"},
    {"name": "service", "type": "string", "required": true, "aliases": ["service-id"]},
    {"name": "effective-date", "type": "date"}]},
{"name": "resources.plan", "domain": "resources", "summary": "Plans resources.", "effect": "event", "arguments": [
    {"name": "case-id", "type": "case-ref"},
    {"name": "resources", "type": "list of string"},
    {"name": "resource", "type": "string", "aliases": ["resource-id"]},
    {"name": "services", "type": "list of string"}]},
{"name": "resources.provision", "domain": "resources", "summary": "Provisions a resource.", "effect": "event", "arguments": [
    {"name": "case-id", "type": "case-ref"},
    {"name": "resource", "type": "string", "required": true, "aliases": ["resource-id"]},
    {"name": "owner", "type": "string"},
    {"name": "config", "type": "map"}]},
{"name": "resources.configure", "domain": "resources", "summary": "Configures a resource.", "effect": "event", "arguments": [
    {"name": "case-id", "type": "case-ref"},
    {"name": "resource", "type": "string", "required": true, "aliases": ["resource-id"]},
    {"name": "config", "type": "map", "aliases": ["configuration"]}]},
{"name": "resources.test", "domain": "resources", "summary": "Notes a test of a resource.", "effect": "event", "arguments": [
    {"name": "case-id", "type": "case-ref"},
    {"name": "resource", "type": "string", "required": true, "aliases": ["resource-id"]},
    {"name": "result", "type": "enum[passed|failed|skipped]"},
    {"name": "test-type", "type": "string"}]},
{"name": "resources.deploy", "domain": "resources", "summary": "Deploys a resource.", "effect": "event", "arguments": [
    {"name": "case-id", "type": "case-ref"},
    {"name": "resource", "type": "string", "required": true, "aliases": ["resource-id"]},
    {"name": "environment", "type": "string"},
    {"name": "effective-date", "type": "date"}]},
{"name": "attributes.define", "domain": "attributes", "summary": "Defines an attribute in the dictionary of the tenant.", "effect": "attribute.define", "preset": {"mask": "string"}, "arguments": [
    {"name": "case-id", "type": "case-ref"},
    {"name": "name", "type": "string", "required": true},
    {"name": "mask", "type": "enum[string|integer|decimal|date|datetime|boolean|enum|uuid|money|percent]", "aliases": ["type"]},
    {"name": "attribute-id", "type": "uuid", "aliases": ["id"]},
    {"name": "group", "type": "string", "aliases": ["group-id"], "slot": "group_id"},
    {"name": "domain", "type": "string"},
    {"name": "description", "type": "text", "slot": "long_description"},
    {"name": "rules", "type": "map"}]},
{"name": "attributes.resolve", "domain": "attributes", "summary": "Notes where an attribute's value comes from.", "effect": "event", "arguments": [
    {"name": "case-id", "type": "case-ref"},
    {"name": "attribute", "type": "attr-ref", "required": true, "aliases": ["attr"]},
    {"name": "source", "type": "string"},
    {"name": "entity", "type": "entity-ref", "aliases": ["entity-id"]},
    {"name": "method", "type": "string"}]},
{"name": "values.bind", "domain": "values", "summary": "Binds values to attributes.", "effect": "value.set", "preset": {"state": "resolved"}, "at_least": 1, "arguments": [
    {"name": "case-id", "type": "case-ref"},
    {"name": "attribute", "type": "attr-ref", "aliases": ["attr", "attr-id"]},
    {"name": "value", "type": "any"},
    {"name": "bindings", "type": "map", "aliases": ["values"]},
    {"name": "entity", "type": "entity-ref", "aliases": ["entity-id"], "slot": "entity_id"},
    {"name": "subject-kind", "type": "enum[case|entity|document]"},
    {"name": "subject-id", "type": "string"},
    {"name": "source", "type": "string"},
    {"name": "observed-at", "type": "datetime"}]},
{"name": "values.validate", "domain": "values", "summary": "Notes that values were validated.", "effect": "event", "arguments": [
    {"name": "case-id", "type": "case-ref"},
    {"name": "attribute", "type": "attr-ref", "aliases": ["attr"]},
    {"name": "attributes", "type": "list of attr-ref"},
    {"name": "result", "type": "enum[passed|failed]"},
    {"name": "rules", "type": "list of string"}]},
{"name": "values.encrypt", "domain": "values", "summary": "Notes that values are to be kept encrypted.", "effect": "event", "arguments": [
    {"name": "case-id", "type": "case-ref"},
    {"name": "attribute", "type": "attr-ref", "aliases": ["attr"]},
    {"name": "attributes", "type": "list of attr-ref"},
    {"name": "key-id", "type": "string"}]},
{"name": "kyc.start", "domain": "kyc", "summary": "Begins the KYC work of a case.", "effect": "event", "stage": 2, "arguments": [
    {"name": "case-id", "type": "case-ref"},
    {"name": "entity-id", "type": "entity-ref", "aliases": ["entity"]},
    {"name": "level", "type": "enum[simplified|standard|enhanced]", "aliases": ["due-diligence"]},
    {"name": "documents", "type": "list of string", "aliases": ["requirements"]},
    {"name": "jurisdictions", "type": "list of string"},
    {"name": "risk-rating", "type": "enum[low|medium|high|prohibited]"}]},
{"name": "kyc.collect", "domain": "kyc", "summary": "Collects a document for KYC.", "effect": "event", "arguments": [
    {"name": "case-id", "type": "case-ref"},
    {"name": "entity-id", "type": "entity-ref", "aliases": ["entity"]},
    {"name": "document-type", "type": "string", "required": true, "aliases": ["doc-type"]},
    {"name": "document-id", "type": "document-ref", "aliases": ["doc-id"]},
    {"name": "source", "type": "string"},
    {"name": "due-date", "type": "date"}]},
{"name": "kyc.verify", "domain": "kyc", "summary": "Notes that a KYC item was verified.", "effect": "event", "arguments": [
    {"name": "case-id", "type": "case-ref"},
    {"name": "entity-id", "type": "entity-ref", "aliases": ["entity"]},
    {"name": "document-id", "type": "document-ref", "aliases": ["doc-id"]},
    {"name": "status", "type": "enum[pending|verified|rejected|expired]"},
    {"name": "evidence", "type": "list of document-ref"},
    {"name": "method", "type": "string"},
    {"name": "verified-by", "type": "user-ref"}]},
{"name": "kyc.assess", "domain": "kyc", "summary": "Notes an assessment.", "effect": "event", "arguments": [
    {"name": "case-id", "type": "case-ref"},
    {"name": "entity-id", "type": "entity-ref", "aliases": ["entity"]},
    {"name": "risk-rating", "type": "enum[low|medium|high|prohibited]"},
    {"name": "assessment", "type": "text"},
    {"name": "score", "type": "number"}]},
{"name": "kyc.screen_sanctions", "domain": "kyc", "summary": "Notes a screening against sanction lists.", "effect": "event", "arguments": [
    {"name": "case-id", "type": "case-ref"},
    {"name": "entity-id", "type": "entity-ref", "aliases": ["entity"]},
    {"name": "lists", "type": "list of string", "aliases": ["databases"]},
    {"name": "result", "type": "enum[clear|hit|inconclusive]"},
    {"name": "screened-at", "type": "datetime"}]},
{"name": "kyc.check_pep", "domain": "kyc", "summary": "Notes a check for politically exposed persons.", "effect": "event", "arguments": [
    {"name": "case-id", "type": "case-ref"},
    {"name": "entity-id", "type": "entity-ref", "aliases": ["entity"]},
    {"name": "result", "type": "enum[clear|hit|inconclusive]"},
    {"name": "scope", "type": "string"},
    {"name": "screened-at", "type": "datetime"}]},
{"name": "kyc.validate_address", "domain": "kyc", "summary": "Notes the validation of an address.", "effect": "event", "arguments": [
    {"name": "case-id", "type": "case-ref"},
    {"name": "entity-id", "type": "entity-ref", "aliases": ["entity"]},
    {"name": "address", "type": "text"},
    {"name": "document-id", "type": "document-ref", "aliases": ["doc-id"]},
    {"name": "result", "type": "enum[passed|failed]"}]},
{"name": "kyc.assess_risk", "domain": "kyc", "summary": "Notes a rating of risk with its factors.", "effect": "event", "arguments": [
    {"name": "case-id", "type": "case-ref"},
    {"name": "entity-id", "type": "entity-ref", "aliases": ["entity"]},
    {"name": "risk-rating", "type": "enum[low|medium|high|prohibited]", "aliases": ["rating"]},
    {"name": "factors", "type": "list of string"},
    {"name": "score", "type": "number"},
    {"name": "methodology", "type": "string"}]},
{"name": "kyc.collect_document", "domain": "kyc", "summary": "Collects a document and puts it in the catalog.", "effect": "document.put", "preset": {"status": "received"}, "arguments": [
    {"name": "case-id", "type": "case-ref"},
    {"name": "document-id", "type": "string", "required": true, "aliases": ["doc-id"]},
    {"name": "document-type", "type": "string", "required": true, "aliases": ["doc-type"]},
    {"name": "title", "type": "string"},
    {"name": "entity", "type": "entity-ref", "aliases": ["entity-id"], "slot": "entity_id"},
    {"name": "source", "type": "string"},
    {"name": "issued", "type": "date"},
    {"name": "expires", "type": "date"}]},
{"name": "compliance.screen", "domain": "compliance", "summary": "Notes a screening.", "effect": "event", "arguments": [
    {"name": "case-id", "type": "case-ref"},
    {"name": "entity-id", "type": "entity-ref", "aliases": ["entity"]},
    {"name": "screen-type", "type": "string", "aliases": ["type"]},
    {"name": "lists", "type": "list of string"},
    {"name": "result", "type": "enum[clear|hit|inconclusive]"}]},
{"name": "compliance.monitor", "domain": "compliance", "summary": "Sets up monitoring.", "effect": "event", "arguments": [
    {"name": "case-id", "type": "case-ref"},
    {"name": "entity-id", "type": "entity-ref", "aliases": ["entity"]},
    {"name": "frequency", "type": "enum[daily|weekly|monthly|quarterly|annually]"},
    {"name": "triggers", "type": "list of string"},
    {"name": "from-date", "type": "date"}]},
{"name": "compliance.fatca_check", "domain": "compliance", "summary": "Notes a FATCA check.", "effect": "event", "arguments": [
    {"name": "case-id", "type": "case-ref"},
    {"name": "entity-id", "type": "entity-ref", "aliases": ["entity"]},
    {"name": "status", "type": "string"},
    {"name": "giin", "type": "string"},
    {"name": "form", "type": "string"},
    {"name": "us-person", "type": "boolean"}]},
{"name": "compliance.crs_check", "domain": "compliance", "summary": "Notes a CRS check.", "effect": "event", "arguments": [
    {"name": "case-id", "type": "case-ref"},
    {"name": "entity-id", "type": "entity-ref", "aliases": ["entity"]},
    {"name": "status", "type": "string"},
    {"name": "tax-residences", "type": "list of string"},
    {"name": "self-certified", "type": "boolean"}]},
{"name": "compliance.aml_check", "domain": "compliance", "summary": "Notes an anti-money-laundering check.", "effect": "event", "arguments": [
    {"name": "case-id", "type": "case-ref"},
    {"name": "entity-id", "type": "entity-ref", "aliases": ["entity"]},
    {"name": "result", "type": "enum[clear|hit|inconclusive]"},
    {"name": "typologies", "type": "list of string"},
    {"name": "score", "type": "number"}]},
{"name": "compliance.generate_sar", "domain": "compliance", "summary": "Notes a report of suspicious activity.", "effect": "event", "arguments": [
    {"name": "case-id", "type": "case-ref"},
    {"name": "entity-id", "type": "entity-ref", "aliases": ["entity"]},
    {"name": "reason", "type": "text", "required": true},
    {"name": "amount", "type": "money"},
    {"name": "activity-date", "type": "date"},
    {"name": "report-id", "type": "string"}]},
{"name": "compliance.generate_report", "domain": "compliance", "summary": "Notes a compliance report.", "effect": "event", "arguments": [
    {"name": "case-id", "type": "case-ref"},
    {"name": "entity-id", "type": "entity-ref", "aliases": ["entity"]},
    {"name": "report-type", "type": "string", "required": true, "aliases": ["type"]},
    {"name": "period-start", "type": "date"},
    {"name": "period-end", "type": "date"},
    {"name": "report-id", "type": "string"}]},
{"name": "compliance.verify", "domain": "compliance", "summary": "Notes that a requirement was verified.", "effect": "event", "arguments": [
    {"name": "case-id", "type": "case-ref"},
    {"name": "entity-id", "type": "entity-ref", "aliases": ["entity"]},
    {"name": "requirement", "type": "string"},
    {"name": "result", "type": "enum[passed|failed|waived]"},
    {"name": "evidence", "type": "list of document-ref"}]},
{"name": "ubo.collect-entity-data", "domain": "ubo", "summary": "Notes data collected for the search of owners.", "effect": "event", "arguments": [
    {"name": "case-id", "type": "case-ref"},
    {"name": "target", "type": "entity-ref", "aliases": ["entity", "entity-id"]},
    {"name": "sources", "type": "list of string"},
    {"name": "data", "type": "map"}]},
{"name": "ubo.get-ownership-structure", "domain": "ubo", "summary": "Notes that the ownership structure was asked for.", "effect": "event", "arguments": [
    {"name": "case-id", "type": "case-ref"},
    {"name": "target", "type": "entity-ref", "aliases": ["entity", "entity-id"]},
    {"name": "depth", "type": "number"},
    {"name": "as-of", "type": "date"}]},
{"name": "ubo.unroll-structure", "domain": "ubo", "summary": "Notes that indirect holdings were unrolled.", "effect": "event", "arguments": [
    {"name": "case-id", "type": "case-ref"},
    {"name": "target", "type": "entity-ref", "aliases": ["entity", "entity-id"]},
    {"name": "depth", "type": "number"},
    {"name": "threshold", "type": "percent"}]},
{"name": "ubo.resolve-ubos", "domain": "ubo", "summary": "Notes that the owners were resolved.", "effect": "event", "arguments": [
    {"name": "case-id", "type": "case-ref"},
    {"name": "target", "type": "entity-ref", "aliases": ["entity", "entity-id"]},
    {"name": "threshold", "type": "percent"},
    {"name": "jurisdiction", "type": "string"}]},
{"name": "ubo.calculate-indirect-ownership", "domain": "ubo", "summary": "Notes indirect holdings.", "effect": "event", "arguments": [
    {"name": "case-id", "type": "case-ref"},
    {"name": "target", "type": "entity-ref", "aliases": ["entity", "entity-id"]},
    {"name": "owner", "type": "entity-ref"},
    {"name": "percent", "type": "percent"}]},
{"name": "ubo.identify-control-prong", "domain": "ubo", "summary": "Notes who controls.", "effect": "event", "arguments": [
    {"name": "case-id", "type": "case-ref"},
    {"name": "target", "type": "entity-ref", "aliases": ["entity", "entity-id"]},
    {"name": "controllers", "type": "list of entity-ref"},
    {"name": "basis", "type": "text"}]},
{"name": "ubo.identify-ownership-prong", "domain": "ubo", "summary": "Notes who owns.", "effect": "event", "arguments": [
    {"name": "case-id", "type": "case-ref"},
    {"name": "target", "type": "entity-ref", "aliases": ["entity", "entity-id"]},
    {"name": "threshold", "type": "percent"},
    {"name": "owners", "type": "list of entity-ref"}]},
{"name": "ubo.apply-thresholds", "domain": "ubo", "summary": "Notes the thresholds of a jurisdiction.", "effect": "event", "arguments": [
    {"name": "case-id", "type": "case-ref"},
    {"name": "target", "type": "entity-ref", "aliases": ["entity", "entity-id"]},
    {"name": "threshold", "type": "percent"},
    {"name": "jurisdiction", "type": "string"}]},
{"name": "ubo.calc", "domain": "ubo", "summary": "Notes a calculation of ownership.", "effect": "event", "arguments": [
    {"name": "case-id", "type": "case-ref"},
    {"name": "target", "type": "entity-ref", "aliases": ["entity", "entity-id"]},
    {"name": "threshold", "type": "percent"},
    {"name": "prongs", "type": "list of string"},
    {"name": "algorithm", "type": "string"}]},
{"name": "ubo.outcome", "domain": "ubo", "summary": "Notes the ultimate beneficial owners that were found.", "effect": "event", "arguments": [
    {"name": "case-id", "type": "case-ref"},
    {"name": "target", "type": "entity-ref", "required": true, "aliases": ["entity"]},
    {"name": "threshold", "type": "percent", "required": true},
    {"name": "ubos", "type": "list of entity-ref", "required": true},
    {"name": "at", "type": "datetime"},
    {"name": "evidence", "type": "list of document-ref"},
    {"name": "method", "type": "string"}]},
{"name": "document.catalog", "domain": "document", "summary": "Puts a document in the catalog of a case.", "effect": "document.put", "arguments": [
    {"name": "case-id", "type": "case-ref"},
    {"name": "document-id", "type": "string", "required": true, "aliases": ["doc-id"]},
    {"name": "document-type", "type": "string", "required": true, "aliases": ["doc-type"]},
    {"name": "status", "type": "enum[requested|received|verified|rejected|expired|amended|extracted]"},
    {"name": "title", "type": "string"},
    {"name": "entity", "type": "entity-ref", "aliases": ["entity-id"], "slot": "entity_id"},
    {"name": "issuer", "type": "string"},
    {"name": "issued", "type": "date", "aliases": ["issue-date"]},
    {"name": "expires", "type": "date", "aliases": ["expiry-date"]},
    {"name": "language", "type": "string"},
    {"name": "source", "type": "string"},
    {"name": "confidentiality", "type": "enum[public|internal|restricted|confidential]"},
    {"name": "pages", "type": "number"},
    {"name": "sha256", "type": "string"}]},
{"name": "document.verify", "domain": "document", "summary": "Notes that a document was verified.", "effect": "document.put", "preset": {"status": "verified"}, "arguments": [
    {"name": "case-id", "type": "case-ref"},
    {"name": "document-id", "type": "document-ref", "required": true, "aliases": ["doc-id"]},
    {"name": "method", "type": "string"},
    {"name": "verified-by", "type": "user-ref", "aliases": ["by"]},
    {"name": "verified-at", "type": "datetime"},
    {"name": "result", "type": "string"}]},
{"name": "document.extract", "domain": "document", "summary": "Notes what was read out of a document.", "effect": "document.put", "preset": {"status": "extracted"}, "arguments": [
    {"name": "case-id", "type": "case-ref"},
    {"name": "document-id", "type": "document-ref", "required": true, "aliases": ["doc-id"]},
    {"name": "fields", "type": "map", "aliases": ["data"]},
    {"name": "method", "type": "string"},
    {"name": "confidence", "type": "number"},
    {"name": "attributes", "type": "list of attr-ref"}]},
{"name": "document.link", "domain": "document", "summary": "Links a document to another or to an entity.", "effect": "event", "arguments": [
    {"name": "case-id", "type": "case-ref"},
    {"name": "document-id", "type": "document-ref", "required": true, "aliases": ["doc-id"]},
    {"name": "to-document", "type": "document-ref", "aliases": ["target"]},
    {"name": "entity", "type": "entity-ref", "aliases": ["entity-id"]},
    {"name": "relationship", "type": "string", "aliases": ["relationship-type"]}]},
{"name": "document.use", "domain": "document", "summary": "Uses a document as evidence.", "effect": "event", "arguments": [
    {"name": "case-id", "type": "case-ref"},
    {"name": "document-id", "type": "document-ref", "required": true, "aliases": ["doc-id"]},
    {"name": "purpose", "type": "string", "aliases": ["used-for"]},
    {"name": "entity", "type": "entity-ref", "aliases": ["entity-id"]},
    {"name": "evidence", "type": "list of document-ref"},
    {"name": "context", "type": "text"}]},
{"name": "document.amend", "domain": "document", "summary": "Notes an amendment of a document.", "effect": "document.put", "preset": {"status": "amended"}, "arguments": [
    {"name": "case-id", "type": "case-ref"},
    {"name": "document-id", "type": "document-ref", "required": true, "aliases": ["doc-id"]},
    {"name": "amendment", "type": "text", "aliases": ["reason"]},
    {"name": "effective-date", "type": "date"},
    {"name": "title", "type": "string"}]},
{"name": "document.expire", "domain": "document", "summary": "Notes that a document has expired.", "effect": "document.put", "preset": {"status": "expired"}, "arguments": [
    {"name": "case-id", "type": "case-ref"},
    {"name": "document-id", "type": "document-ref", "required": true, "aliases": ["doc-id"]},
    {"name": "expires", "type": "date", "aliases": ["expired-on"]},
    {"name": "reason", "type": "text"}]},
{"name": "document.query", "domain": "document", "summary": "Notes a search of documents.", "effect": "event", "arguments": [
    {"name": "case-id", "type": "case-ref"},
    {"name": "document-type", "type": "string", "aliases": ["doc-type"]},
    {"name": "query", "type": "string", "aliases": ["q"]},
    {"name": "entity", "type": "entity-ref", "aliases": ["entity-id"]},
    {"name": "filters", "type": "map"}]},
{"name": "isda.establish_master", "domain": "isda", "summary": "Notes an ISDA master agreement.", "effect": "event", "arguments": [
    {"name": "case-id", "type": "case-ref"},
    {"name": "agreement-id", "type": "string", "required": true, "aliases": ["agreement"]},
    {"name": "party-a", "type": "entity-ref"},
    {"name": "party-b", "type": "entity-ref"},
    {"name": "version", "type": "string"},
    {"name": "governing-law", "type": "string"},
    {"name": "effective-date", "type": "date"},
    {"name": "agreement-date", "type": "date"},
    {"name": "document-id", "type": "document-ref", "aliases": ["doc-id"]},
    {"name": "multicurrency", "type": "boolean"}]},
{"name": "isda.establish_csa", "domain": "isda", "summary": "Notes a credit support annex.", "effect": "event", "arguments": [
    {"name": "case-id", "type": "case-ref"},
    {"name": "csa-id", "type": "string", "required": true},
    {"name": "master-agreement-id", "type": "string", "aliases": ["master"]},
    {"name": "base-currency", "type": "string"},
    {"name": "threshold-party-a", "type": "money"},
    {"name": "threshold-party-b", "type": "money"},
    {"name": "minimum-transfer", "type": "money"},
    {"name": "eligible-collateral", "type": "list of string"},
    {"name": "effective-date", "type": "date"},
    {"name": "document-id", "type": "document-ref", "aliases": ["doc-id"]}]},
{"name": "isda.execute_trade", "domain": "isda", "summary": "Notes a trade.", "effect": "event", "arguments": [
    {"name": "case-id", "type": "case-ref"},
    {"name": "trade-id", "type": "string", "required": true},
    {"name": "master-agreement-id", "type": "string", "aliases": ["master"]},
    {"name": "product-type", "type": "string"},
    {"name": "trade-date", "type": "date"},
    {"name": "effective-date", "type": "date"},
    {"name": "termination-date", "type": "date"},
    {"name": "notional", "type": "money"},
    {"name": "payer", "type": "entity-ref"},
    {"name": "receiver", "type": "entity-ref"},
    {"name": "underlying", "type": "string"},
    {"name": "terms", "type": "map"}]},
{"name": "isda.margin_call", "domain": "isda", "summary": "Notes a margin call.", "effect": "event", "arguments": [
    {"name": "case-id", "type": "case-ref"},
    {"name": "call-id", "type": "string", "required": true},
    {"name": "csa-id", "type": "string"},
    {"name": "call-date", "type": "date"},
    {"name": "exposure", "type": "money"},
    {"name": "call-amount", "type": "money"},
    {"name": "calling-party", "type": "entity-ref"},
    {"name": "valuation-date", "type": "date"}]},
{"name": "isda.post_collateral", "domain": "isda", "summary": "Notes collateral that was posted.", "effect": "event", "arguments": [
    {"name": "case-id", "type": "case-ref"},
    {"name": "posting-id", "type": "string", "required": true},
    {"name": "call-id", "type": "string"},
    {"name": "collateral-type", "type": "string"},
    {"name": "amount", "type": "money"},
    {"name": "posting-party", "type": "entity-ref"},
    {"name": "receiving-party", "type": "entity-ref"},
    {"name": "posting-date", "type": "date"}]},
{"name": "isda.value_portfolio", "domain": "isda", "summary": "Notes a valuation.", "effect": "event", "arguments": [
    {"name": "case-id", "type": "case-ref"},
    {"name": "valuation-id", "type": "string", "required": true},
    {"name": "csa-id", "type": "string"},
    {"name": "valuation-date", "type": "date"},
    {"name": "net-mtm", "type": "money"},
    {"name": "trades", "type": "list of string"},
    {"name": "agent", "type": "string"}]},
{"name": "isda.declare_termination_event", "domain": "isda", "summary": "Notes an event of termination or default.", "effect": "event", "arguments": [
    {"name": "case-id", "type": "case-ref"},
    {"name": "event-id", "type": "string", "required": true},
    {"name": "master-agreement-id", "type": "string", "aliases": ["master"]},
    {"name": "event-type", "type": "string"},
    {"name": "affected-party", "type": "entity-ref"},
    {"name": "declaration-date", "type": "date"},
    {"name": "cure-period", "type": "number"}]},
{"name": "isda.close_out", "domain": "isda", "summary": "Notes a close-out.", "effect": "event", "arguments": [
    {"name": "case-id", "type": "case-ref"},
    {"name": "close-out-id", "type": "string", "required": true},
    {"name": "master-agreement-id", "type": "string", "aliases": ["master"]},
    {"name": "termination-date", "type": "date"},
    {"name": "close-out-amount", "type": "money"},
    {"name": "method", "type": "string"},
    {"name": "trades", "type": "list of string"}]},
{"name": "isda.amend_agreement", "domain": "isda", "summary": "Notes an amendment.", "effect": "event", "arguments": [
    {"name": "case-id", "type": "case-ref"},
    {"name": "amendment-id", "type": "string", "required": true},
    {"name": "agreement-id", "type": "string", "aliases": ["agreement"]},
    {"name": "amendment-date", "type": "date"},
    {"name": "effective-date", "type": "date"},
    {"name": "changes", "type": "map"},
    {"name": "document-id", "type": "document-ref", "aliases": ["doc-id"]}]},
{"name": "isda.novate_trade", "domain": "isda", "summary": "Notes a novation.", "effect": "event", "arguments": [
    {"name": "case-id", "type": "case-ref"},
    {"name": "novation-id", "type": "string", "required": true},
    {"name": "trade-id", "type": "string"},
    {"name": "transferor", "type": "entity-ref"},
    {"name": "transferee", "type": "entity-ref"},
    {"name": "remaining-party", "type": "entity-ref"},
    {"name": "novation-date", "type": "date"}]},
{"name": "isda.dispute", "domain": "isda", "summary": "Notes a dispute.", "effect": "event", "arguments": [
    {"name": "case-id", "type": "case-ref"},
    {"name": "dispute-id", "type": "string", "required": true},
    {"name": "call-id", "type": "string"},
    {"name": "reason", "type": "text"},
    {"name": "disputed-amount", "type": "money"},
    {"name": "raised-by", "type": "entity-ref"},
    {"name": "raised-on", "type": "date"}]},
{"name": "isda.manage_netting_set", "domain": "isda", "summary": "Notes a netting set.", "effect": "event", "arguments": [
    {"name": "case-id", "type": "case-ref"},
    {"name": "netting-set-id", "type": "string", "required": true},
    {"name": "master-agreement-id", "type": "string", "aliases": ["master"]},
    {"name": "trades", "type": "list of string"},
    {"name": "method", "type": "string"}]},
{"name": "notify.send", "domain": "notify", "summary": "Notes a notification.", "effect": "event", "arguments": [
    {"name": "case-id", "type": "case-ref"},
    {"name": "to", "type": "string", "required": true, "aliases": ["recipient"]},
    {"name": "channel", "type": "enum[email|sms|portal|post]"},
    {"name": "template", "type": "string"},
    {"name": "subject", "type": "string"},
    {"name": "message", "type": "text"}]},
{"name": "communicate.request", "domain": "communicate", "summary": "Notes a request for information.", "effect": "event", "arguments": [
    {"name": "case-id", "type": "case-ref"},
    {"name": "to", "type": "string", "required": true, "aliases": ["recipient"]},
    {"name": "subject", "type": "string"},
    {"name": "items", "type": "list of string", "aliases": ["documents"]},
    {"name": "due-date", "type": "date"},
    {"name": "message", "type": "text"}]},
{"name": "escalate.trigger", "domain": "escalate", "summary": "Notes an escalation.", "effect": "event", "arguments": [
    {"name": "case-id", "type": "case-ref"},
    {"name": "reason", "type": "text", "required": true},
    {"name": "level", "type": "string"},
    {"name": "to", "type": "user-ref", "aliases": ["escalate-to"]},
    {"name": "severity", "type": "enum[low|medium|high|critical]"}]},
{"name": "audit.log", "domain": "audit", "summary": "Notes something for the audit trail.", "effect": "event", "arguments": [
    {"name": "case-id", "type": "case-ref"},
    {"name": "event", "type": "string", "required": true, "aliases": ["action"]},
    {"name": "details", "type": "text"},
    {"name": "actor", "type": "user-ref"},
    {"name": "at", "type": "datetime"},
    {"name": "data", "type": "map"}]},
{"name": "external.query", "domain": "external", "summary": "Notes a query to an outside source.", "effect": "event", "arguments": [
    {"name": "case-id", "type": "case-ref"},
    {"name": "source", "type": "string", "required": true, "aliases": ["system"]},
    {"name": "query", "type": "string"},
    {"name": "entity", "type": "entity-ref", "aliases": ["entity-id"]},
    {"name": "parameters", "type": "map"},
    {"name": "result", "type": "any"}]},
{"name": "external.sync", "domain": "external", "summary": "Notes a synchronisation with an outside system.", "effect": "event", "arguments": [
    {"name": "case-id", "type": "case-ref"},
    {"name": "system", "type": "string", "required": true, "aliases": ["source"]},
    {"name": "direction", "type": "enum[in|out|both]"},
    {"name": "entities", "type": "list of entity-ref"}]},
{"name": "api.call", "domain": "api", "summary": "Notes a call of an API.", "effect": "event", "arguments": [
    {"name": "case-id", "type": "case-ref"},
    {"name": "endpoint", "type": "string", "required": true, "aliases": ["url"]},
    {"name": "method", "type": "enum[GET|POST|PUT|PATCH|DELETE]"},
    {"name": "body", "type": "map"},
    {"name": "status", "type": "number"}]},
{"name": "webhook.register", "domain": "webhook", "summary": "Notes a webhook.", "effect": "event", "arguments": [
    {"name": "case-id", "type": "case-ref"},
    {"name": "url", "type": "string", "required": true},
    {"name": "events", "type": "list of string"},
    {"name": "secret-name", "type": "string"}]},
{"name": "entity", "domain": "", "summary": "Registers an entity in a graph of ownership.", "effect": "entity.upsert", "arguments": [
    {"name": "case-id", "type": "case-ref"},
    {"name": "id", "type": "string", "required": true, "aliases": ["entity-id"], "slot": "entity_id"},
    {"name": "type", "type": "enum[limited_company|public_company|corporation|llc|partnership|limited_partnership|general_partner|proper_person|sole_trader|trust|foundation|fund|hedge_fund|umbrella_fund|pension_fund|management_company|bank|insurer|spv|government|charity|company|other]", "required": true, "aliases": ["entity-type", "label"], "slot": "entity_type"},
    {"name": "name", "type": "string", "aliases": ["legal-name"]},
    {"name": "jurisdiction", "type": "string", "aliases": ["country"]},
    {"name": "registration-number", "type": "string"},
    {"name": "lei", "type": "string"},
    {"name": "incorporation-date", "type": "date"},
    {"name": "date-of-birth", "type": "date"},
    {"name": "nationality", "type": "string"},
    {"name": "address", "type": "text"},
    {"name": "tax-id", "type": "string"},
    {"name": "status", "type": "string"},
    {"name": "aum", "type": "money"},
    {"name": "props", "type": "map"}]},
{"name": "edge", "domain": "", "summary": "Links two entities in a graph of ownership.", "effect": "entity.link", "arguments": [
    {"name": "case-id", "type": "case-ref"},
    {"name": "from", "type": "entity-ref", "required": true, "aliases": ["from-entity"], "slot": "from_entity"},
    {"name": "to", "type": "entity-ref", "required": true, "aliases": ["to-entity"], "slot": "to_entity"},
    {"name": "type", "type": "string", "required": true, "aliases": ["relationship-type"], "slot": "relationship_type"},
    {"name": "percent", "type": "percent", "aliases": ["ownership-percent", "percentage"], "slot": "ownership_percent"},
    {"name": "verification-status", "type": "enum[pending|verified|rejected|expired]", "slot": "verification"},
    {"name": "evidence", "type": "list of document-ref"},
    {"name": "props", "type": "map", "aliases": ["properties"]}]},
{"name": "define-kyc-investigation", "domain": "", "summary": "Opens a case for a KYC investigation.", "effect": "case.create", "preset": {"case_type": "kyc_investigation"}, "stage": 1, "arguments": [
    {"name": "case-id", "type": "string", "required": true, "aliases": ["id", "investigation-id"]},
    {"name": "target", "type": "string", "aliases": ["target-entity"], "slot": "entity_id"},
    {"name": "title", "type": "string", "aliases": ["name"]},
    {"name": "jurisdiction", "type": "string"},
    {"name": "ubo-threshold", "type": "percent", "aliases": ["threshold"]},
    {"name": "deadline", "type": "date"},
    {"name": "priority", "type": "enum[low|normal|high|urgent]"},
    {"name": "customer-name", "type": "string"}]}
]$verbs$);
END
$$;

CREATE TABLE cases.transitions (
    from_state text NOT NULL,
    to_state text NOT NULL,
    CONSTRAINT transitions_pkey PRIMARY KEY (from_state, to_state),
    CONSTRAINT transitions_states_differ CHECK (from_state <> to_state)
);

COMMENT ON TABLE cases.transitions IS 'The state machine of a case: which state may follow which. closed is final.';

COMMENT ON COLUMN cases.transitions.from_state IS 'The state before.';

COMMENT ON COLUMN cases.transitions.to_state IS 'A state that may follow.';

GRANT SELECT ON cases.transitions TO quarry_app;

INSERT INTO cases.transitions (from_state, to_state)
VALUES
    ('created', 'collecting'),
    ('created', 'in_review'),
    ('created', 'suspended'),
    ('created', 'closed'),
    ('collecting', 'verifying'),
    ('collecting', 'in_review'),
    ('collecting', 'suspended'),
    ('collecting', 'closed'),
    ('verifying', 'collecting'),
    ('verifying', 'assessing'),
    ('verifying', 'in_review'),
    ('verifying', 'suspended'),
    ('verifying', 'closed'),
    ('assessing', 'verifying'),
    ('assessing', 'in_review'),
    ('assessing', 'suspended'),
    ('assessing', 'closed'),
    ('in_review', 'collecting'),
    ('in_review', 'assessing'),
    ('in_review', 'approved'),
    ('in_review', 'rejected'),
    ('in_review', 'suspended'),
    ('in_review', 'closed'),
    ('approved', 'active'),
    ('approved', 'in_review'),
    ('approved', 'suspended'),
    ('approved', 'closed'),
    ('rejected', 'in_review'),
    ('rejected', 'closed'),
    ('active', 'in_review'),
    ('active', 'suspended'),
    ('active', 'closed'),
    ('suspended', 'collecting'),
    ('suspended', 'verifying'),
    ('suspended', 'assessing'),
    ('suspended', 'in_review'),
    ('suspended', 'active'),
    ('suspended', 'closed');
