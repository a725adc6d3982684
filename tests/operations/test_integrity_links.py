"""Every foreign key that the migrations declare is watched by a check, whatever body of data it is in,
and so are the numbers of cases and conversations."""
# ruff: noqa: E501 (SQL in one line)

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from service.checks import CHECKS
from service.operations import integrity
from service.operations.integrity import Inspector
from tests.operations.damage import Connection, Damage, damaged, failing, inspector
from tests.support.cluster import MIGRATIONS, Database

_DECLARED = json.loads(integrity.declared(MIGRATIONS))
_TYPES = {(e["table_name"], e["name"]): e["definition"] for e in _DECLARED if e["kind"] == "column"}
DANGLING = [check.name for check in CHECKS if check.kind == "dangling link"]
NOBODY = "'ffffffff-ffff-7fff-8fff-ffffffffffff'"


def _links() -> list[tuple[str, str]]:
    """Table and column of every foreign key: what follows tenant and project, if anything does."""
    found = set()
    for entry in _DECLARED:
        match = re.match(r"FOREIGN KEY \((.*?)\)", entry["definition"])
        if entry["kind"] == "foreign key" and match:
            columns = match[1].split(", ")
            told = [c for c in columns if c not in ("tenant_id", "project_id")] or columns[-1:]
            found.add((entry["table_name"], told[0]))
    return sorted(found)


LINKS = _links()
_CONVERSATIONS, _MESSAGES, _CASES = (
    "assistant.conversations", "assistant.messages", "cases.cases",
)  # fmt: skip
COUNTS: list[Damage] = [
    ("assistant_counts", 1, f"UPDATE {_CONVERSATIONS} SET message_count = 7 WHERE message_count = 1"),
    ("assistant_counts", 1, f"UPDATE {_MESSAGES} SET seq = 2"),
    ("assistant_counts", 1, f"UPDATE {_MESSAGES} SET is_active = false"),
    ("assistant_counts", 1, f"DELETE FROM {_MESSAGES}"),
    ("cases_counts", 1, f"UPDATE {_CASES} SET current_version = 7"),
    ("cases_counts", 1, "DELETE FROM cases.case_versions"),
]  # fmt: skip


@pytest.fixture(scope="module")
def connection(module_database: Database) -> Iterator[Connection]:
    """A row in every table: the samples of all migrations."""
    with psycopg.connect(module_database.owner_dsn, autocommit=True) as connection:
        for sample in sorted((MIGRATIONS / "samples").glob("*.sql")):
            # a trigger of a later migration has made the row already
            with contextlib.suppress(psycopg.errors.UniqueViolation):
                connection.execute(sample.read_bytes())
        yield connection


@pytest.fixture
def looks(connection: Connection, tmp_path: Path) -> Inspector:
    """Runs checks on the module's database."""
    return inspector(connection, tmp_path)


def test_there_are_links_of_every_body_of_data() -> None:
    assert {table.partition(".")[0] for table, _ in LINKS} >= {
        "core", "workspace", "discovery", "assistant", "cases", "ops",
    }  # fmt: skip
    assert len(LINKS) >= 60


@pytest.mark.parametrize("link", LINKS, ids=".".join)
def test_a_link_that_leads_nowhere_is_found(
    looks: Inspector, connection: Connection, link: tuple[str, str]
) -> None:
    table, column = link
    value = NOBODY if _TYPES[link].startswith("uuid") else "'nobody'"
    with damaged(connection, f"UPDATE {table} SET {column} = {value}"):
        outcomes = list(looks.check(DANGLING))
    rows = connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()
    assert rows
    assert rows[0] > 0
    seen = {(row["table_name"], row["kind"]): row["count"] for o in outcomes for row in o.evidence}
    assert seen[link] == rows[0]
    assert "ERROR" not in {o.state for o in outcomes}
    # the keys of cases and of every tenant are part of the links of others
    assert column in ("tenant_id", "project_id") or len(seen) == 1


@pytest.mark.parametrize("damage", COUNTS, ids=lambda d: f"{d[0]}-{d[2][:60]}")
def test_numbers_that_do_not_add_up_fail_exactly_their_check(
    looks: Inspector, connection: Connection, damage: Damage
) -> None:
    before = failing(list(looks.check()))
    with damaged(connection, damage[2]):
        found = failing(list(looks.check()))
    assert {name: n for name, n in found.items() if before.get(name) != n} == {damage[0]: damage[1]}
