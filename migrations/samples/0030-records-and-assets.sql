INSERT INTO discovery.raw_records (tenant_id, id, project_id, data_import_id, master_flow_id, row_number, raw)
VALUES ('0197a000-0000-7000-8000-00000000000a', '0197a000-0000-7000-8000-00000000f004', '0197a000-0000-7000-8000-0000000000c1', '0197a000-0000-7000-8000-00000000f002', '0197a000-0000-7000-8000-00000000f001', 1, '{"host": "a"}');

INSERT INTO discovery.assets (tenant_id, id, project_id, master_flow_id, discovery_flow_id, raw_record_id, name, asset_type, hostname)
VALUES ('0197a000-0000-7000-8000-00000000000a', '0197a000-0000-7000-8000-00000000f005', '0197a000-0000-7000-8000-0000000000c1', '0197a000-0000-7000-8000-00000000f001', '0197a000-0000-7000-8000-00000000f003', '0197a000-0000-7000-8000-00000000f004', 'a', 'server', 'a');

UPDATE discovery.raw_records SET outcome = 'asset', asset_id = '0197a000-0000-7000-8000-00000000f005' WHERE tenant_id = '0197a000-0000-7000-8000-00000000000a' AND id = '0197a000-0000-7000-8000-00000000f004';

INSERT INTO discovery.asset_dependencies (tenant_id, project_id, asset_id, target_name)
VALUES ('0197a000-0000-7000-8000-00000000000a', '0197a000-0000-7000-8000-0000000000c1', '0197a000-0000-7000-8000-00000000f005', 'b');

INSERT INTO discovery.asset_conflicts (tenant_id, project_id, master_flow_id, raw_record_id, asset_id, kind, incoming)
VALUES ('0197a000-0000-7000-8000-00000000000a', '0197a000-0000-7000-8000-0000000000c1', '0197a000-0000-7000-8000-00000000f001', '0197a000-0000-7000-8000-00000000f004', '0197a000-0000-7000-8000-00000000f005', 'name', '{"name": "a"}');
