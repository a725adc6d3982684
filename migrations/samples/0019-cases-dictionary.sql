INSERT INTO cases.dictionary (tenant_id, name, mask, rules)
VALUES ('0197a000-0000-7000-8000-00000000000a', 'sample.colour', 'enum', '{"values": ["red", "green"]}');
