INSERT INTO discovery.master_flows (tenant_id, id, project_id, flow_name)
VALUES ('0197a000-0000-7000-8000-00000000000a', '0197a000-0000-7000-8000-00000000f001', '0197a000-0000-7000-8000-0000000000c1', 'sample');

INSERT INTO discovery.data_imports (tenant_id, id, project_id, master_flow_id, name, status, size, sha256, total_rows, loaded_rows, encoding, header)
VALUES ('0197a000-0000-7000-8000-00000000000a', '0197a000-0000-7000-8000-00000000f002', '0197a000-0000-7000-8000-0000000000c1', '0197a000-0000-7000-8000-00000000f001', 'sample', 'loaded', 1, sha256('x'), 1, 1, 'utf-8', '["host"]');

INSERT INTO discovery.discovery_flows (tenant_id, id, project_id, master_flow_id, data_import_id)
VALUES ('0197a000-0000-7000-8000-00000000000a', '0197a000-0000-7000-8000-00000000f003', '0197a000-0000-7000-8000-0000000000c1', '0197a000-0000-7000-8000-00000000f001', '0197a000-0000-7000-8000-00000000f002');

INSERT INTO discovery.field_mappings (tenant_id, project_id, data_import_id, source_field, target_field, match_type, confidence)
VALUES ('0197a000-0000-7000-8000-00000000000a', '0197a000-0000-7000-8000-0000000000c1', '0197a000-0000-7000-8000-00000000f002', 'host', 'hostname', 'exact', 1);
