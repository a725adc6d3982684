-- name: dsl.verbs :many
-- The verbs of the case language with their arguments, by name.
-- null: stage, replacement
-- budget: 20 buffers
SELECT v.name, v.domain, v.summary, v.effect, v.arguments, v.preset, v.stage, v.at_least, v.deprecated, v.replacement
  FROM cases.verbs AS v
 ORDER BY v.name
