SELECT format('DROP INDEX CONCURRENTLY %%s', i.indexrelid::regclass)
  FROM pg_catalog.pg_index AS i
  JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
 WHERE NOT i.indisvalid AND c.relname = %(name)s AND c.relkind = 'i'
