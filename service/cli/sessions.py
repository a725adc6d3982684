"""Connections that commands work with, and their errors in words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from service.cli.database import owner_url, settings
from service.cli.output import fail
from service.database.queries import SqlFilesError
from service.operations.operator import Operator, connect


@contextmanager
def operator() -> Iterator[Operator]:
    """The operator's connection; exit 2 when the database cannot be reached or is not migrated."""
    config = settings()
    try:
        with connect(owner_url(), config.sql_dir) as admin:
            yield admin
    except psycopg.OperationalError as error:
        fail(f"the database cannot be reached: {str(error).strip().splitlines()[-1]}")
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
        fail("the database is not migrated: run `quarry migrate apply`")
    except SqlFilesError as error:
        fail(str(error))
