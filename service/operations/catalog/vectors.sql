-- The search vectors of texts ($2) in languages ($1), in their order.
SELECT workspace.search_vector(workspace.text_search_config(c.language), c.body)::text
  FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS c (language, body, at)
 ORDER BY c.at
