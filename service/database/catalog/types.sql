-- Types by oid ($1), called as query files call them. A domain is its base type, any enum "enum".
WITH headers (catalog, header) AS (
    VALUES ('int2', 'smallint'), ('int4', 'int'), ('int8', 'bigint'), ('bool', 'boolean')
)
SELECT t.oid::int8,
       CASE WHEN base.typtype = 'e' THEN 'enum'
            ELSE coalesce(h.header, bare.typname) || CASE WHEN item.oid IS NULL THEN '' ELSE '[]' END
       END
  FROM pg_catalog.pg_type AS t
  JOIN pg_catalog.pg_type AS base ON base.oid = coalesce(nullif(t.typbasetype, 0), t.oid)
  LEFT JOIN pg_catalog.pg_type AS item ON item.oid = base.typelem AND base.typcategory = 'A'
  JOIN pg_catalog.pg_type AS bare ON bare.oid = coalesce(item.oid, base.oid)
  LEFT JOIN headers AS h ON h.catalog = bare.typname
 WHERE t.oid = ANY ($1::oid[])
