-- name: documents.search :page
-- Live versions of a live project that match a web-style search ("exact phrase", -without, or), in
-- the project's language and without regard to accents; best match first, with fragments in which
-- the hits stand in <mark>…</mark> (the text around them is not escaped).
-- param: project_id uuid
-- param: q text
-- param: document_type text?
-- param: latest_only boolean
-- param: after_rank float8?
-- param: after_id uuid?
-- param: limit int?
-- cursor: rank desc, id desc
-- budget: 1000 buffers
WITH asked AS MATERIALIZED (
    SELECT workspace.text_search_config(p.language) AS config,
           websearch_to_tsquery(workspace.text_search_config(p.language), :q) AS query
      FROM workspace.projects AS p
     WHERE p.tenant_id = :tenant_id
       AND p.id = :project_id
       AND p.deleted_at IS NULL
), found AS (
    SELECT d.id, ts_rank_cd(d.search, a.query)::float8 AS rank
      FROM asked AS a
      JOIN workspace.document_versions AS d ON d.tenant_id = :tenant_id AND d.project_id = :project_id
     WHERE d.deleted_at IS NULL
       AND d.search @@ a.query
       AND (:document_type::text IS NULL OR d.document_type = :document_type)
       AND (NOT :latest_only::boolean
            OR NOT EXISTS (SELECT FROM workspace.document_versions AS n
                            WHERE n.tenant_id = :tenant_id
                              AND n.project_id = :project_id
                              AND n.document_type = d.document_type
                              AND n.version > d.version
                              AND n.deleted_at IS NULL))
), page AS (
    SELECT f.id, f.rank
      FROM found AS f
     WHERE (f.rank, f.id) < (least(:after_rank::float8, 'infinity'),
                             least(:after_id::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
     ORDER BY f.rank DESC, f.id DESC
     LIMIT :limit
)
-- fragments are cut from the page's rows alone, and from the first part of a very long text
SELECT d.id, d.project_id, d.document_type, d.version, octet_length(d.content) AS bytes, s.rank,
       ts_headline(a.config, left(d.content, 200000), a.query,
                   'StartSel=<mark>, StopSel=</mark>, MaxFragments=3, MaxWords=20, MinWords=5') AS fragments
  FROM page AS s
 CROSS JOIN asked AS a
  JOIN workspace.document_versions AS d ON d.tenant_id = :tenant_id AND d.id = s.id
 ORDER BY s.rank DESC, d.id DESC
