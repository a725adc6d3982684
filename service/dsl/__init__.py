"""The language of the cases: lexer, parser, printer, registry, validation, planning.

No SQL and no HTTP here: what the database must say comes in as data and what shall happen goes out
as data.
"""
