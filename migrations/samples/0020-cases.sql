INSERT INTO cases.cases (tenant_id, project_id, case_id, title) VALUES ('0197a000-0000-7000-8000-00000000000a', '0197a000-0000-7000-8000-0000000000c1', 'SAMPLE-1', 'Sample');

INSERT INTO cases.case_versions (tenant_id, project_id, case_id, version, dsl, ast, change_kind, operation_id)
VALUES ('0197a000-0000-7000-8000-00000000000a', '0197a000-0000-7000-8000-0000000000c1', 'SAMPLE-1', 1, '(case.create :case-id "SAMPLE-1")', '[]', 'new', uuidv7());

INSERT INTO cases.entities (tenant_id, project_id, case_id, entity_id, entity_type, name)
VALUES ('0197a000-0000-7000-8000-00000000000a', '0197a000-0000-7000-8000-0000000000c1', 'SAMPLE-1', 'FUND', 'fund', 'A fund'), ('0197a000-0000-7000-8000-00000000000a', '0197a000-0000-7000-8000-0000000000c1', 'SAMPLE-1', 'OWNER', 'proper_person', 'An owner');

INSERT INTO cases.entity_links (tenant_id, project_id, case_id, from_entity, to_entity, relationship_type, ownership_percent)
VALUES ('0197a000-0000-7000-8000-00000000000a', '0197a000-0000-7000-8000-0000000000c1', 'SAMPLE-1', 'OWNER', 'FUND', 'ownership', 60);

INSERT INTO cases.case_roles (tenant_id, project_id, case_id, entity_id, role) VALUES ('0197a000-0000-7000-8000-00000000000a', '0197a000-0000-7000-8000-0000000000c1', 'SAMPLE-1', 'FUND', 'client');

INSERT INTO cases.case_documents (tenant_id, project_id, case_id, document_id, document_type)
VALUES ('0197a000-0000-7000-8000-00000000000a', '0197a000-0000-7000-8000-0000000000c1', 'SAMPLE-1', 'PASSPORT', 'passport');

INSERT INTO cases.case_products (tenant_id, project_id, case_id, product) VALUES ('0197a000-0000-7000-8000-00000000000a', '0197a000-0000-7000-8000-0000000000c1', 'SAMPLE-1', 'CUSTODY');

INSERT INTO cases.case_events (tenant_id, project_id, case_id, operation_id, version, form, verb, effect, arguments)
VALUES ('0197a000-0000-7000-8000-00000000000a', '0197a000-0000-7000-8000-0000000000c1', 'SAMPLE-1', uuidv7(), 1, 0, 'case.create', 'case.create', '{}');

INSERT INTO cases.attribute_values (tenant_id, project_id, attribute_id, subject_kind, subject_id, value)
SELECT '0197a000-0000-7000-8000-00000000000a', '0197a000-0000-7000-8000-0000000000c1', d.id, 'entity', 'FUND', '"A fund"'
  FROM cases.dictionary AS d
 WHERE d.tenant_id = '0197a000-0000-7000-8000-00000000000a' AND d.name = 'identity.legal_name';

INSERT INTO cases.dsl_operations (tenant_id, project_id, kind, outcome, dsl_sha256, forms)
VALUES ('0197a000-0000-7000-8000-00000000000a', '0197a000-0000-7000-8000-0000000000c1', 'execute', 'committed', sha256('x'), 1);

INSERT INTO cases.dsl_proposals (tenant_id, project_id, instruction, generator, confidence, status)
VALUES ('0197a000-0000-7000-8000-00000000000a', '0197a000-0000-7000-8000-0000000000c1', 'open a case', 'rules', 0.9, 'rejected');
