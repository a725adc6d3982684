"""Which query touches which table, and what a DBA should look at."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.database.queries import load
from service.operations import parse_tree
from service.operations.sql_facts import Facts, Touch, gather, touched
from service.operations.usage import Usage
from tests.support.cluster import Database

SQL = Path(__file__).parents[2] / "sql"
TABLES = {"app.orders": {}, "app.lines": {}, "app.log": {}}
FUNCTIONS = {
    "app.sweep": {"body": "BEGIN PERFORM app.note(); DELETE FROM ONLY app.lines; END"},
    "app.note": {"body": "INSERT INTO app.log VALUES (1)"},
    "app.again": {"body": "SELECT app.again(), count(*) FROM app.log"},
    "app.other": {"body": "it's no SQL: app.log"},
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT 1 FROM app.orders AS o, app.lines AS l", ["app.lines", "app.orders"]),
        ("INSERT INTO app.lines (a) SELECT a FROM app.orders", ["app.lines!", "app.orders"]),
        ("UPDATE ONLY app.orders AS o SET a = 1", ["app.orders!"]),
        ("WITH x AS (DELETE FROM app.orders AS o RETURNING 1) SELECT 1 FROM app.orders",
         ["app.orders!"]),
        ("MERGE INTO app.orders USING app.lines ON true", ["app.lines", "app.orders!"]),
        ("SELECT 1 FROM app.orders FOR UPDATE", ["app.orders"]),
        ("SELECT 'app.orders' -- app.lines\n /* app.log */", []),
        ("SELECT app.sweep()", ["app.lines! by app.sweep", "app.log! by app.sweep app.note"]),
        ("SELECT app.sweep() FROM app.log", ["app.lines! by app.sweep",
                                             "app.log! by app.sweep app.note"]),
        ("SELECT app.again()", ["app.log by app.again"]),
        ("SELECT app.other()", []),
        ("SELECT orders.app.orders FROM APP.Orders", ["app.orders"]),
    ],
)  # fmt: skip
def test_tables_are_found_by_their_names(text: str, expected: list[str]) -> None:
    def shown(touch: Touch) -> str:
        way = f" by {' '.join(touch.way)}" if touch.way else ""
        return f"{touch.table}{'!' if touch.writes else ''}{way}"

    assert [shown(touch) for touch in touched(text, TABLES, FUNCTIONS)] == expected


@pytest.fixture
def facts(database: Database) -> Facts:
    return gather(database.app_dsn, load(SQL), Usage({}))


def test_it_sees_what_the_parser_of_postgresql_sees(facts: Facts) -> None:
    """But PostgreSQL's own tables, which the schema leaves out."""
    for name, query in facts.queries.items():
        own = [touch.table for touch in facts.touches[name] if not touch.way]
        named = [t for t in parse_tree.tables(query) if not t.startswith("pg_catalog.")]
        assert own == named, name


def test_the_schema_is_told_with_all_that_hangs_on_a_table(facts: Facts) -> None:
    table = facts.tables["workspace.projects"]
    columns = {column["name"]: column for column in table["columns"]}
    assert columns["name"]["comment"] and columns["name"]["not_null"]
    assert {"projects_pkey", "projects_changed_idx"} <= {i["name"] for i in table["indexes"]}
    assert table["policies"] and table["triggers"] and table["row_security_forced"]
    assert "workspace.project_members" in {k["table"] for k in table["referenced_by"]}
    assert facts.tables["audit.events"]["partitions"] > 0
    assert not [name for name in facts.tables if name.startswith("audit.events_")]
    assert facts.functions["core.find_key"]["definer"]
    assert not [name for name in facts.functions if name.startswith("extensions.")]


def test_a_table_leads_to_its_queries(facts: Facts) -> None:
    found = {query.name: touch for query, touch in facts.queries_of("core.api_keys")}
    assert found["keys.find"].way == ("core.find_key",)
    assert found["keys.revoke"].writes and not found["keys.list"].writes


def test_what_a_dba_should_look_at_is_found(database: Database, tmp_path: Path) -> None:
    database.psql("ALTER TABLE workspace.users NO FORCE ROW LEVEL SECURITY")
    database.psql("ALTER VIEW ops.quarantine SET (security_invoker = false)")
    database.psql("UPDATE pg_index SET indisvalid = false"
                  " WHERE indexrelid = 'workspace.projects_changed_idx'::regclass")  # fmt: skip
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "up.sql").write_text("-- name: made.up :value\n-- Up.\nSELECT no.where()")
    found = dict(gather(database.app_dsn, load(tmp_path), Usage({})).findings())
    assert found.keys() == {"made.up", "workspace.users", "workspace.projects", "ops.quarantine"}
    assert "rights of its owner" in found["ops.quarantine"]
    assert "INVALID index projects_changed_idx" in found["workspace.projects"]
