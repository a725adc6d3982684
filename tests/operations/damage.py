"""Planting damage that the database would refuse, and taking it back again.

Triggers and foreign keys are off (`session_replication_role`), and the catalogue says for a moment
that a table has neither checks nor NOT NULL nor unique indexes: so the schema is afterwards as it
was, and the damage is the only thing that is wrong.
"""
# ruff: noqa: E501 (SQL in one line)

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from service.checks import Outcome
from service.database.queries import load
from service.files import FileStore
from service.operations.integrity import Inspector
from service.operations.operator import Operator
from tests.support.cluster import MIGRATIONS
from tests.support.server import SQL_DIR

Connection = psycopg.Connection[Any]
Damage = tuple[str, int, str]  # the check that must fail, how many findings, the SQL that does it

_RULES = """
CREATE TEMPORARY TABLE IF NOT EXISTS rules ON COMMIT DROP AS
SELECT 'pg_class' AS kind, c.oid, 0::int2 AS number, c.relchecks::text AS value FROM pg_class AS c WHERE c.relchecks > 0 AND c.oid IN {tables}
 UNION ALL
SELECT 'pg_attribute', a.attrelid, a.attnum, '' FROM pg_attribute AS a WHERE a.attnotnull AND a.attnum > 0 AND a.attrelid IN {tables}
 UNION ALL
SELECT 'pg_index', i.indexrelid, 0, '' FROM pg_index AS i WHERE i.indisunique AND i.indrelid IN {tables}
"""
_TABLES = "(SELECT oid FROM pg_class WHERE relnamespace::regnamespace::text IN ('core', 'workspace', 'cases', 'discovery', 'assistant', 'ops') AND relkind IN ('r', 'p'))"
_OFF = (
    "SET LOCAL session_replication_role = replica",
    "SET LOCAL allow_system_table_mods = on",
    _RULES.format(tables=_TABLES),
    "UPDATE pg_class AS c SET relchecks = 0 FROM rules AS r WHERE r.kind = 'pg_class' AND r.oid = c.oid",
    "UPDATE pg_attribute AS a SET attnotnull = false FROM rules AS r WHERE r.kind = 'pg_attribute' AND r.oid = a.attrelid AND r.number = a.attnum",
    "UPDATE pg_index AS i SET indisunique = false FROM rules AS r WHERE r.kind = 'pg_index' AND r.oid = i.indexrelid",
)
_ON = (
    "UPDATE pg_class AS c SET relchecks = r.value::int2 FROM rules AS r WHERE r.kind = 'pg_class' AND r.oid = c.oid",
    "UPDATE pg_attribute AS a SET attnotnull = true FROM rules AS r WHERE r.kind = 'pg_attribute' AND r.oid = a.attrelid AND r.number = a.attnum",
    "UPDATE pg_index AS i SET indisunique = true FROM rules AS r WHERE r.kind = 'pg_index' AND r.oid = i.indexrelid",
    "DROP TABLE rules",
    "SET LOCAL session_replication_role = origin",
)


def plant(connection: Connection, statements: str) -> None:
    """Run the statements, parted by `;`, in the open transaction without any rule of the tables."""
    for statement in (*_OFF, *filter(str.strip, statements.split(";")), *_ON):
        connection.execute(statement)


@contextmanager
def damaged(connection: Connection, statements: str) -> Iterator[None]:
    """The damage is there inside of this, and nowhere else."""
    with connection.transaction(force_rollback=True):
        plant(connection, statements)
        yield


def inspector(connection: Connection, folder: Path) -> Inspector:
    """Checks and repairs over this connection, with the files below the folder."""
    queries = load(SQL_DIR)
    return Inspector(Operator(connection, queries), queries, FileStore(folder), MIGRATIONS)


def failing(outcomes: list[Outcome]) -> dict[str, int]:
    """Check → count of those that do not pass; an ERROR is -1."""
    return {
        o.check.name: -1 if o.state == "ERROR" else o.count for o in outcomes if o.state != "PASS"
    }


@contextmanager
def lifted(connection: Connection) -> Iterator[None]:
    """Neither checks nor NOT NULL nor unique indexes, as when somebody has dropped them by hand:
    what was so before can be so again."""
    for statement in _OFF[1:]:
        connection.execute(statement)
    yield
    for statement in _ON:
        connection.execute(statement)
