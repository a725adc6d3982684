-- The statement that counts a table's rows.
SELECT format('SELECT count(*) FROM %%s', %(table)s::regclass)
