-- name: explain.example :one
-- What `quarry sql explain --analyze` gives to the required parameters of other queries: each column
-- is the value for parameters of its name and type; status_text is status, where that is a text.
-- Worst cases: a tenant's longest document. For a new name add a column; what is not here gets a
-- sample of its type.
-- null: conversation_id, memory_id, file_id, document_id, user_id, user, created_by, key_id, execution_id, correlation_id, topic_id, actor, key, case_id, version, case_ids, entity_id, entity_ids, owned, names, import_id, flow_id, flow, asset_id, discovery_flow_id
-- budget: 20000 buffers
WITH longest AS (
    SELECT c.project_id, c.document_type
      FROM workspace.document_counters AS c
     WHERE c.tenant_id = :tenant_id
     ORDER BY c.last_version DESC, c.project_id, c.document_type
     LIMIT 1
), member AS (
    SELECT m.user_id
      FROM longest AS l
      JOIN workspace.project_members AS m ON m.tenant_id = :tenant_id AND m.project_id = l.project_id
     ORDER BY m.role = 'owner', m.user_id
     LIMIT 1
), execution AS (
    SELECT e.id, e.correlation_id
      FROM longest AS l
      JOIN workspace.agent_executions AS e ON e.tenant_id = :tenant_id AND e.project_id = l.project_id
     WHERE e.status = 'pending'
     ORDER BY e.created_at DESC, e.id DESC
     LIMIT 1
), longest_case AS (
    SELECT c.case_id, c.current_version
      FROM longest AS l
      JOIN cases.cases AS c ON c.tenant_id = :tenant_id AND c.project_id = l.project_id
     ORDER BY c.current_version DESC, c.case_id
     LIMIT 1
), an_entity AS (
    SELECT e.entity_id
      FROM longest AS l
      JOIN cases.entities AS e ON e.tenant_id = :tenant_id AND e.project_id = l.project_id
     ORDER BY e.entity_id
     LIMIT 1
), longest_import AS (
    SELECT i.id, i.master_flow_id
      FROM longest AS l
      JOIN discovery.data_imports AS i ON i.tenant_id = :tenant_id AND i.project_id = l.project_id
     ORDER BY i.loaded_rows DESC, i.created_at, i.id
     LIMIT 1
), asset AS (
    SELECT a.id
      FROM longest_import AS i
      JOIN discovery.assets AS a ON a.tenant_id = :tenant_id AND a.master_flow_id = i.master_flow_id
     WHERE a.deleted_at IS NULL
     ORDER BY a.created_at, a.id
     LIMIT 1
), conversation AS (
    SELECT c.id
      FROM member AS m
      JOIN assistant.conversations AS c ON c.tenant_id = :tenant_id AND c.user_id = m.user_id
     ORDER BY c.message_count DESC, c.id
     LIMIT 1
), answer AS (
    SELECT i.actor, i.key
      FROM core.idempotency AS i
     WHERE i.tenant_id = :tenant_id
     ORDER BY i.actor, i.key
     LIMIT 1
)
SELECT l.project_id, l.document_type,
       (SELECT d.id
          FROM workspace.document_versions AS d
         WHERE d.tenant_id = :tenant_id
           AND d.project_id = l.project_id
           AND d.document_type = l.document_type
         ORDER BY d.version DESC
         LIMIT 1) AS document_id,
       (SELECT k.id
          FROM core.api_keys AS k
         WHERE k.tenant_id = :tenant_id
         ORDER BY k.id
         LIMIT 1) AS key_id,
       c.id AS conversation_id,
       (SELECT r.id
          FROM assistant.memories AS r
         WHERE r.tenant_id = :tenant_id
           AND r.user_id = m.user_id
         ORDER BY r.importance DESC, r.created_at DESC, r.id DESC
         LIMIT 1) AS memory_id,
       (SELECT f.id
          FROM assistant.files AS f
         WHERE f.tenant_id = :tenant_id
           AND f.user_id = m.user_id
         ORDER BY f.created_at DESC, f.id DESC
         LIMIT 1) AS file_id,
       uuidv7() AS id, m.user_id, m.user_id::text AS user, m.user_id AS created_by, 'editor' AS role,
       'zip' AS format, uuidv7() AS export_id, false AS latest_only, 'report' AS q,
       'an-example' AS name, 'en' AS language, 'example@example.org' AS email,
       json_build_array(json_build_object('name', 'An example', 'language', 'en',
                                          'email', 'example@example.org',
                                          'role', 'user', 'content', 'text')) AS items,
       'assistant.conversations' AS of_table, 'text/plain' AS mime_type, 1 AS seq, 1 AS at_seq,
       json_build_object('content', 'text') AS changes, 50 AS message_limit, 50 AS max_messages,
       1000 AS before, 50 AS most,
       e.id AS execution_id, e.correlation_id, 'running' AS status_text, 'execution' AS topic, e.id AS topic_id, 365 AS days, l.project_id AS row_id,
       a.actor, a.key, 201 AS status, sha256('example') AS request_hash, sha256('example') AS secret_hash,
       h.case_id, h.current_version AS version, ARRAY[h.case_id] AS case_ids, n.entity_id,
       ARRAY[n.entity_id] AS entity_ids, ARRAY[n.entity_id] AS owned, ARRAY[h.case_id, n.entity_id] AS names,
       10 AS depth, 25.0 AS threshold, l.project_id AS stored_id, l.project_id AS replayed_id,
       '[]'::jsonb AS rows, '[]'::jsonb AS claims, 'execute' AS kind, 'string' AS mask,
       'rules' AS generator, 'open a case' AS instruction, 0.9 AS confidence, 'rejected' AS verdict, 'merged' AS result, '[]'::jsonb AS findings,
       uuidv7() AS proposal_id, 'committed' AS outcome, uuidv7() AS operation_id,
       i.id AS import_id, i.master_flow_id AS flow_id, i.master_flow_id AS flow, s.id AS asset_id,
       (SELECT d.id
          FROM discovery.discovery_flows AS d
         WHERE d.tenant_id = :tenant_id
           AND d.master_flow_id = i.master_flow_id) AS discovery_flow_id,
       uuidv7() AS run_id, sha256('example') AS sha256, 'utf-8' AS encoding,
       jsonb_build_array(jsonb_build_object('id', s.id, 'environment', 'test')) AS items_jsonb,
       jsonb_build_array(jsonb_build_object('position', 1, 'source_field', 'Name', 'target_field', 'name',
                                            'status', 'approved')) AS mappings,
       jsonb_build_array(jsonb_build_object('position', 9, 'source_field', 'More', 'target_field', 'custom',
                                            'match_type', 'none', 'confidence', 0)) AS suggestions,
       (SELECT coalesce(jsonb_agg(jsonb_build_object('id', k.id, 'action', 'replace')), '[]')
          FROM discovery.asset_conflicts AS k
         WHERE k.tenant_id = :tenant_id
           AND k.master_flow_id = i.master_flow_id) AS resolutions,
       '[]'::jsonb AS declared, '[]'::jsonb AS files,
       '{projects:read}'::text[] AS scopes, :tenant_id::uuid::text AS tenant
  FROM longest AS l
  LEFT JOIN member AS m ON true
  LEFT JOIN execution AS e ON true
  LEFT JOIN conversation AS c ON true
  LEFT JOIN answer AS a ON true
  LEFT JOIN longest_case AS h ON true
  LEFT JOIN an_entity AS n ON true
  LEFT JOIN longest_import AS i ON true
  LEFT JOIN asset AS s ON true
