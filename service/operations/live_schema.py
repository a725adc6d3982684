"""What the rules need to know of the live schema."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psycopg

__all__ = ["TENANT", "Catalog", "read_catalog"]

TENANT: Final = "tenant_id"
_CATALOG: Final = Path(__file__).parent / "catalog"


@dataclass(frozen=True, slots=True)
class Catalog:
    """The columns of each table (`schema.name`), and the column sets of its unique indexes."""

    columns: Mapping[str, frozenset[str]]
    unique: Mapping[str, frozenset[frozenset[str]]]

    def tenant_scoped(self, table: str) -> bool:
        """Whether the table has a tenant_id."""
        return TENANT in self.columns.get(table, ())


def read_catalog(conninfo: str) -> Catalog:
    """Read the live schema. Raises psycopg.Error."""
    with psycopg.connect(conninfo) as connection:
        columns = {name: frozenset(names) for name, names in _rows(connection, "tables")}
        unique: dict[str, frozenset[frozenset[str]]] = {}
        for name, names in _rows(connection, "unique"):
            unique[name] = unique.get(name, frozenset()) | {frozenset(names)}
    return Catalog(columns, unique)


def _rows(connection: psycopg.Connection[Any], name: str) -> list[Any]:
    """What `catalog/<name>.sql` answers."""
    return connection.execute((_CATALOG / f"{name}.sql").read_bytes()).fetchall()
