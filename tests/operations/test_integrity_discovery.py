"""Each check of discovery finds what is planted, and nothing else; repairs are undone to the byte."""
# ruff: noqa: E501 (SQL in one line)

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from service.operations.integrity import Inspector, RepairError
from tests.operations.damage import Connection, Damage, damaged, failing, inspector, lifted, plant
from tests.support.cluster import Database

# Two tenants of two projects each, and in each project a flow with an import of three rows.
SEED = """
INSERT INTO core.tenants (id, name) VALUES ('00000000-0000-7000-8000-00000000000a', 'ours'), ('00000000-0000-7000-8000-00000000000b', 'theirs');
INSERT INTO workspace.users (tenant_id, id, email, name)
SELECT t.id, overlay(t.id::text placing '1' from 1 for 1)::uuid, 'ada@example.org', 'Ada' FROM core.tenants AS t;
INSERT INTO workspace.projects (tenant_id, id, name, language, created_by)
SELECT u.tenant_id, overlay(u.id::text placing n from 1 for 1)::uuid, 'Project ' || n, 'en', u.id FROM workspace.users AS u, (VALUES ('2'), ('3')) AS v (n);
INSERT INTO discovery.master_flows (tenant_id, project_id, id, flow_name, current_phase, created_by)
SELECT p.tenant_id, p.id, overlay(p.id::text placing '4' from 2 for 1)::uuid, 'flow', 'validation', p.created_by FROM workspace.projects AS p;
INSERT INTO discovery.data_imports (tenant_id, project_id, id, master_flow_id, name, size, sha256, total_rows, loaded_rows, encoding, header, imported_by)
SELECT f.tenant_id, f.project_id, overlay(f.id::text placing '5' from 2 for 1)::uuid, f.id, 'import', 1, sha256('x'), 3, 3, 'utf-8', '["host"]', f.created_by
  FROM discovery.master_flows AS f;
INSERT INTO discovery.discovery_flows (tenant_id, project_id, id, master_flow_id, data_import_id)
SELECT i.tenant_id, i.project_id, overlay(i.id::text placing '6' from 2 for 1)::uuid, i.master_flow_id, i.id FROM discovery.data_imports AS i;
INSERT INTO discovery.raw_records (tenant_id, project_id, id, master_flow_id, data_import_id, row_number, raw, outcome)
SELECT i.tenant_id, i.project_id, overlay(i.id::text placing '7' || n from 2 for 2)::uuid, i.master_flow_id, i.id, n, jsonb_build_object('host', 'host-' || n),
       CASE WHEN n < 3 THEN 'asset' ELSE 'conflict' END
  FROM discovery.data_imports AS i, generate_series(1, 3) AS n;
INSERT INTO discovery.assets (tenant_id, project_id, id, master_flow_id, discovery_flow_id, raw_record_id, name, asset_type, hostname, ip)
SELECT r.tenant_id, r.project_id, overlay(r.id::text placing '8' from 2 for 1)::uuid, r.master_flow_id, d.id, r.id, 'host', 'server', r.raw ->> 'host', ('10.0.0.' || r.row_number)::inet
  FROM discovery.raw_records AS r JOIN discovery.discovery_flows AS d USING (tenant_id, project_id, master_flow_id) WHERE r.outcome = 'asset';
UPDATE discovery.raw_records AS r SET asset_id = a.id FROM discovery.assets AS a WHERE a.tenant_id = r.tenant_id AND a.project_id = r.project_id AND a.raw_record_id = r.id;
INSERT INTO discovery.field_mappings (tenant_id, project_id, data_import_id, source_field, target_field, match_type, confidence)
SELECT i.tenant_id, i.project_id, i.id, 'host', 'hostname', 'exact', 1 FROM discovery.data_imports AS i;
INSERT INTO discovery.asset_dependencies (tenant_id, project_id, asset_id, depends_on_id, target_name)
SELECT a.tenant_id, a.project_id, a.id, b.id, 'host-2' FROM discovery.assets AS a JOIN discovery.assets AS b USING (tenant_id, project_id)
 WHERE a.hostname = 'host-1' AND b.hostname = 'host-2';
INSERT INTO discovery.asset_conflicts (tenant_id, project_id, master_flow_id, raw_record_id, asset_id, kind, incoming)
SELECT r.tenant_id, r.project_id, r.master_flow_id, r.id, a.id, 'name', '{}' FROM discovery.raw_records AS r JOIN discovery.assets AS a USING (tenant_id, project_id)
 WHERE r.outcome = 'conflict' AND a.hostname = 'host-1';
"""
HERE = "tenant_id = '00000000-0000-7000-8000-00000000000a' AND project_id::text LIKE '2%'"
OURS = "tenant_id = '00000000-0000-7000-8000-00000000000a'"
THEIRS = "tenant_id = '00000000-0000-7000-8000-00000000000b'"
NOBODY = "'ffffffff-ffff-7fff-8fff-ffffffffffff'"
_F, _T, _I, _D = (
    f"discovery.{n}"
    for n in ("master_flows", "flow_transitions", "data_imports", "discovery_flows")
)
_R, _M, _A = (f"discovery.{n}" for n in ("raw_records", "field_mappings", "assets"))
_N, _C, _U = "discovery.asset_dependencies", "discovery.asset_conflicts", "workspace.users"
# table, column, parent, rows of one project, whether it must be there
LINKS = [
    (_F, "parent_flow_id", _F, 1, False), (_F, "created_by", _U, 1, False),
    (_T, "master_flow_id", _F, 1, True),
    (_I, "imported_by", _U, 1, False),
    (_D, "data_import_id", _I, 1, True),
    (_R, "data_import_id", _I, 3, True), (_R, "master_flow_id", _F, 3, True), (_R, "asset_id", _A, 3, False),
    (_M, "data_import_id", _I, 1, True), (_M, "decided_by", _U, 1, False),
    (_A, "master_flow_id", _F, 2, True), (_A, "discovery_flow_id", _D, 2, False), (_A, "raw_record_id", _R, 2, False),
    (_N, "asset_id", _A, 1, True), (_N, "depends_on_id", _A, 1, False),
    (_C, "master_flow_id", _F, 1, True), (_C, "raw_record_id", _R, 1, True), (_C, "asset_id", _A, 1, True),
    (_C, "resolved_by", _U, 1, False),
]  # fmt: skip
# What goes with losing a link besides: a parent has then no child, which is another finding.
ALSO: dict[tuple[str, str], dict[str, int]] = {
    (_T, "master_flow_id"): {"discovery_childless_parents": 1},
    (_D, "data_import_id"): {"discovery_childless_parents": 1},
    (_R, "data_import_id"): {"discovery_childless_parents": 1},
}
_STATES, _TWICE = "discovery_illegal_states", "discovery_duplicates"
PLANTED: list[Damage] = [
    (
        "discovery_dangling_links",
        1,
        f"INSERT INTO {_F} (tenant_id, project_id, id, flow_name) VALUES ('00000000-0000-7000-8000-00000000000a', {NOBODY}, {NOBODY}, 'x');"
        f" INSERT INTO {_T} (tenant_id, project_id, master_flow_id, sequence, to_status, to_phase, actor)"
        f" VALUES ('00000000-0000-7000-8000-00000000000a', {NOBODY}, {NOBODY}, 1, 'initialized', 'upload', 'x')",
    ),
    (
        "discovery_project_mismatch",
        1,
        f"UPDATE {_M} SET project_id = '30000000-0000-7000-8000-00000000000a', source_field = 'other' WHERE {HERE}",
    ),
    (
        "discovery_project_mismatch",
        3,
        f"UPDATE {_R} SET asset_id = (SELECT id FROM {_A} WHERE {OURS} AND project_id::text LIKE '3%' LIMIT 1) WHERE {HERE}",
    ),
    (
        "discovery_flow_mismatch",
        3,
        f"INSERT INTO {_F} (tenant_id, project_id, id, flow_name) SELECT tenant_id, project_id, {NOBODY}, 'x' FROM {_F} WHERE {HERE};"
        f" INSERT INTO {_T} (tenant_id, project_id, master_flow_id, sequence, to_status, to_phase, actor)"
        f" SELECT tenant_id, project_id, id, 1, 'initialized', 'upload', 'x' FROM {_F} WHERE id = {NOBODY};"
        f" UPDATE {_R} SET master_flow_id = {NOBODY} WHERE {HERE}",
    ),
    (
        "discovery_childless_parents",
        1,
        f"DELETE FROM {_R} WHERE {HERE}; DELETE FROM {_C} WHERE {HERE}; UPDATE {_A} SET raw_record_id = NULL WHERE {HERE}",
    ),
    (
        "discovery_childless_parents",
        1,
        f"DELETE FROM {_D} WHERE {HERE}; UPDATE {_A} SET discovery_flow_id = NULL WHERE {HERE}",
    ),
    ("discovery_childless_parents", 1, f"DELETE FROM {_T} WHERE {HERE}"),
    (_STATES, 1, f"UPDATE {_F} SET status = 'lost' WHERE {HERE}"),
    (_STATES, 1, f"UPDATE {_F} SET retry_count = 4 WHERE {HERE}"),
    (
        _STATES,
        1,
        f"UPDATE {_F} SET status = 'running' WHERE {HERE}",
    ),  # its history says initialized
    (_STATES, 1, f"UPDATE {_T} SET from_status = 'completed' WHERE {HERE}"),
    (_STATES, 1, f"UPDATE {_D} SET progress = 50 WHERE {HERE}"),
    (_STATES, 1, f"UPDATE {_M} SET status = 'approved' WHERE {HERE}"),
    (_STATES, 2, f"UPDATE {_A} SET status = 'lost' WHERE {HERE}"),
    (_STATES, 1, f"UPDATE {_C} SET resolution = 'merge' WHERE {HERE}"),
    (_TWICE, 1, f"UPDATE {_R} SET row_number = 1 WHERE {HERE} AND row_number = 2"),
    (
        _TWICE,
        1,
        f"INSERT INTO {_M} (tenant_id, project_id, data_import_id, source_field, target_field, match_type, confidence)"
        f" SELECT tenant_id, project_id, data_import_id, source_field, 'name', 'manual', 1 FROM {_M} WHERE {HERE}",
    ),
    (_TWICE, 1, f"UPDATE {_A} SET hostname = 'host-1' WHERE {HERE}"),
    (_TWICE, 1, f"UPDATE {_A} SET ip = '10.0.0.1' WHERE {HERE}"),
    (
        _TWICE,
        1,
        f"INSERT INTO {_C} (tenant_id, project_id, master_flow_id, raw_record_id, asset_id, kind, incoming)"
        f" SELECT tenant_id, project_id, master_flow_id, raw_record_id, asset_id, 'ip', '{{}}' FROM {_C} WHERE {HERE}",
    ),
    (
        "conservation",
        1,
        f"DELETE FROM {_R} WHERE {HERE} AND row_number = 3; DELETE FROM {_C} WHERE {HERE}",
    ),
    ("conservation", 1, f"UPDATE {_I} SET total_rows = 4 WHERE {HERE}"),
]


@pytest.fixture(scope="module")
def connection(module_database: Database) -> Iterator[Connection]:
    """The seeded database of this module; every test takes back what it does."""
    with psycopg.connect(module_database.owner_dsn, autocommit=True) as connection:
        connection.execute(SEED)
        yield connection


@pytest.fixture
def looks(connection: Connection, tmp_path: Path) -> Inspector:
    """Runs checks on the module's database."""
    return inspector(connection, tmp_path)


def everything(connection: Connection) -> list[tuple[Any, ...]]:
    """All rows of discovery, word for word."""
    tables = [t for (t,) in connection.execute(
        "SELECT c.oid::regclass::text FROM pg_class AS c WHERE c.relnamespace = 'discovery'::regnamespace AND c.relkind IN ('r', 'p')"
        " AND NOT c.relispartition ORDER BY 1")]  # fmt: skip
    return [(t, connection.execute(f"SELECT to_jsonb(t)::text FROM {t} AS t ORDER BY 1").fetchall()) for t in tables]  # fmt: skip


def triggers(connection: Connection) -> list[tuple[Any, ...]]:
    return connection.execute("SELECT oid, tgenabled FROM pg_trigger ORDER BY 1").fetchall()


def test_nothing_is_wrong_with_the_seed(looks: Inspector) -> None:
    assert failing(list(looks.check())) == {}


@pytest.mark.parametrize("damage", PLANTED, ids=lambda d: f"{d[0]}-{d[2][:60]}")
def test_planted_damage_fails_exactly_its_check(
    looks: Inspector, connection: Connection, damage: Damage
) -> None:
    with damaged(connection, damage[2]):
        assert failing(list(looks.check())) == {damage[0]: damage[1]}


BROKEN = [
    (kind, *link)
    for link in LINKS
    for kind in ("dangling", "foreign", "lost")
    if kind != "lost" or link[4]
]


@pytest.mark.parametrize("broken", BROKEN, ids=lambda x: f"{x[0]}-{x[1]}.{x[2]}")
def test_every_link_is_watched_repaired_and_undone(
    looks: Inspector, connection: Connection, broken: tuple[str, str, str, str, int, bool]
) -> None:
    """Dangling, leading to another tenant's row, and NULL where it must not be."""
    kind, table, column, parent, rows, _ = broken
    value, name = {
        "dangling": (NOBODY, "discovery_dangling_links"),
        "foreign": (f"(SELECT id FROM {parent} WHERE {THEIRS} LIMIT 1)", "discovery_tenant_mismatch"),
        "lost": ("NULL", "discovery_missing_links"),
    }[kind]  # fmt: skip
    with damaged(connection, f"UPDATE {table} SET {column} = {value} WHERE {HERE}"):
        assert failing(list(looks.check())) == {name: rows} | ALSO.get((table, column), {})
        before, enabled = everything(connection), triggers(connection)
        dry = looks.repair([name])
        assert dry["repairs"]
        assert not dry["applied"]
        assert everything(connection) == before
        done = looks.repair([name], apply=True)
        assert done["applied"]
        assert failing(list(looks.check([name]))) == {}
        with lifted(connection):
            assert looks.undo(done["run_id"]) > 0
        assert everything(connection) == before
        assert triggers(connection) == enabled
        assert looks.undo(done["run_id"]) == 0


def test_what_is_quarantined_takes_its_children_along_and_comes_back_with_them(
    looks: Inspector, connection: Connection
) -> None:
    """An import that no flow claims: its rows, mappings, flow and conflicts go with it."""
    lost = (f"UPDATE {_I} SET master_flow_id = NULL, created_at = '2020-01-01' WHERE {HERE};"
            f" UPDATE {_R} SET master_flow_id = NULL WHERE {HERE}; DELETE FROM {_D} WHERE {HERE}")  # fmt: skip
    with damaged(connection, lost):
        before = everything(connection)
        done = looks.repair(["discovery_missing_links"], apply=True)
        held = connection.execute(
            "SELECT table_name, count(*) FROM ops.quarantine GROUP BY 1 ORDER BY 1"
        ).fetchall()
        assert held == [(_C, 1), (_I, 1), (_M, 1), (_R, 3)]
        loose = "SELECT count(*) FROM discovery.assets WHERE raw_record_id IS NULL"
        assert connection.execute(loose).fetchone() == (2,)  # the assets stay
        events = connection.execute(
            "SELECT action, count(*) FROM audit.events WHERE actor LIKE 'operator:%' GROUP BY 1 ORDER BY 1"
        ).fetchall()
        assert events == [("delete", 6), ("update", 2)]
        with lifted(connection):
            looks.undo(done["run_id"])
        assert everything(connection) == before
        assert connection.execute("SELECT count(*) FROM ops.quarantine").fetchone() == (0,)


def test_duplicates_leave_the_oldest(looks: Inspector, connection: Connection) -> None:
    with damaged(connection, f"UPDATE {_A} SET hostname = 'host-1' WHERE {HERE}"):
        before = everything(connection)
        done = looks.repair(apply=True)
        assert failing(list(looks.check())) == {}
        with lifted(connection):
            looks.undo(done["run_id"])
        assert everything(connection) == before


def test_what_changed_since_the_repair_is_not_overwritten(
    looks: Inspector, connection: Connection
) -> None:
    with damaged(connection, f"UPDATE {_A} SET discovery_flow_id = {NOBODY} WHERE {HERE}"):
        done = looks.repair(apply=True)
        plant(
            connection,
            f"UPDATE {_A} SET discovery_flow_id = '66000000-0000-7000-8000-00000000000a' WHERE {HERE}",
        )
        changed = everything(connection)
        with pytest.raises(RepairError, match="have changed since"), connection.transaction():
            looks.undo(done["run_id"])
        assert everything(connection) == changed
