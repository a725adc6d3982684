-- name: dsl.starter :many
-- The attributes that every tenant's dictionary begins with, by group and name.
-- budget: 50 buffers
SELECT a.attribute_id, a.name, a.group_id, a.mask, a.rules, a.sensitivity, a.long_description
  FROM cases.starter_attributes AS a
 ORDER BY a.group_id, a.name
