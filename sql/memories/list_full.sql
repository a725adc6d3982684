-- name: memories.list_full :page
-- A user's memories that match all words of a search, best match first; the rank is that of the
-- full-text search by the importance. Case and accents do not matter, nothing in the search is an
-- operator; where few match, misspelt words are found too and come last. The function finds ids by
-- its index; the join here is under row-level security again.
-- param: user_id uuid             whose
-- param: q text
-- param: tag text?                only with this tag
-- param: min_importance int?      1 to 10
-- param: after_rank float8?
-- param: after_id uuid?
-- param: limit int?
-- cursor: rank desc, id desc
-- null: conversation_id, expires_at, last_used_at
-- budget: 1000 buffers
SELECT m.id, m.user_id, m.conversation_id, m.question, m.answer, m.importance, m.tags, m.metadata,
       m.expires_at, m.last_used_at, m.use_count, m.version, m.created_at, m.updated_at, f.rank
  FROM assistant.find_memories(:user_id, :q, :tag, :min_importance, :after_rank, :after_id, :limit) AS f
  JOIN assistant.memories AS m ON m.tenant_id = :tenant_id AND m.id = f.id
 ORDER BY f.rank DESC, m.id DESC
 LIMIT :limit
