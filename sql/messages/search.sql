-- name: messages.search :page
-- A user's messages that match a web-style search ("exact phrase", -without, or), without regard to
-- accents; best match first, with fragments in which the hits stand in <mark>…</mark> (the text
-- around them is not escaped). The function finds ids by its index; the join here is under
-- row-level security again.
-- param: user_id uuid
-- param: q text
-- param: after_rank float8?
-- param: after_id uuid?
-- param: limit int?
-- cursor: rank desc, id desc
-- budget: 5000 buffers
WITH asked AS MATERIALIZED (
    SELECT websearch_to_tsquery('workspace.simple', normalize(:q)) AS query
)
SELECT m.id, m.conversation_id, m.seq, m.variant, m.role, m.created_at, f.rank,
       ts_headline('workspace.simple', normalize(left(m.content, 200000)), a.query,
                   'StartSel=<mark>, StopSel=</mark>, MaxFragments=3, MaxWords=20, MinWords=5') AS fragments
  FROM asked AS a
 CROSS JOIN LATERAL assistant.find_messages(:user_id, a.query, :after_rank, :after_id, :limit) AS f
  JOIN assistant.messages AS m ON m.tenant_id = :tenant_id AND m.id = f.id
 ORDER BY f.rank DESC, m.id DESC
 LIMIT :limit
