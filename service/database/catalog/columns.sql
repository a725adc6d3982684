-- Which columns of these tables ($1, oids) are NOT NULL. A view's columns are never told to be.
SELECT a.attrelid::int8, a.attnum, a.attnotnull
  FROM pg_catalog.pg_attribute AS a
  JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid
 WHERE a.attrelid = ANY ($1::oid[])
   AND a.attnum > 0
   AND c.relkind IN ('r', 'p', 'f')
