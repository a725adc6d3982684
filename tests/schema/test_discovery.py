"""Discovery in the database: the flows' state machine, delete rules, walls, and conservation."""
# ruff: noqa: E501 (SQL in one line)

from __future__ import annotations

from typing import Any, NamedTuple
from uuid import UUID

import pytest
from psycopg import Error, errors

from tests.schema.conftest import Acting, Tenant
from tests.schema.test_isolation import fill_discovery
from tests.support.cluster import Database

STATUSES = (
    "initialized", "running", "paused", "waiting_for_approval", "completed", "failed", "cancelled",
    "archived",
)  # fmt: skip
STEPS = {
    "initialized": {"running", "cancelled"},
    "running": {"paused", "waiting_for_approval", "completed", "failed", "cancelled"},
    "paused": {"running", "cancelled"},
    "waiting_for_approval": {"running", "cancelled"},
    "failed": {"running", "cancelled", "archived"},
    "completed": {"archived"},
    "cancelled": {"archived"},
    "archived": set[str](),
}
WAY = {
    "initialized": (), "running": ("running",), "paused": ("running", "paused"),
    "waiting_for_approval": ("running", "waiting_for_approval"), "completed": ("running", "completed"),
    "failed": ("running", "failed"), "cancelled": ("cancelled",), "archived": ("cancelled", "archived"),
}  # fmt: skip


class Ids(NamedTuple):
    flow: UUID
    data_import: UUID
    discovery: UUID
    record: UUID
    asset: UUID


@pytest.fixture
def ids(database: Database, ours: Tenant) -> Ids:
    """A row in each table, and the asset linked to all that it came from."""
    fill_discovery(database, ours)
    (found,) = database.psql(
        "SELECT f.id, i.id, d.id, r.id, a.id FROM discovery.master_flows AS f, discovery.data_imports AS i,"
        " discovery.discovery_flows AS d, discovery.raw_records AS r, discovery.assets AS a"
    )
    made = Ids(*found)
    database.psql(
        "UPDATE discovery.assets SET discovery_flow_id = %s, raw_record_id = %s",
        made.discovery, made.record,
    )  # fmt: skip
    database.psql("UPDATE discovery.raw_records SET outcome = 'asset', asset_id = %s", made.asset)
    return made


def counts(database: Database) -> dict[str, int]:
    """How many rows each table has."""
    tables = ("master_flows", "flow_transitions", "data_imports", "discovery_flows", "raw_records",
              "field_mappings", "assets", "asset_dependencies", "asset_conflicts")  # fmt: skip
    return {t: database.psql(f"SELECT count(*) FROM discovery.{t}")[0][0] for t in tables}


def go(connection: Any, flow: UUID, status: str) -> None:
    error = "'{}'" if status == "failed" else "error"
    connection.execute(
        f"UPDATE discovery.master_flows SET status = %s, error = {error}, reason = 'test' WHERE id = %s",
        (status, flow),
    )


@pytest.mark.parametrize("begin", STATUSES)
def test_a_flow_goes_where_it_may_and_nowhere_else(
    database: Database, acting: Acting, ours: Tenant, begin: str
) -> None:
    with acting(ours) as service:
        for end in STATUSES:
            ((flow,),) = service.execute(
                "INSERT INTO discovery.master_flows (tenant_id, project_id, flow_name) VALUES (%s, %s, 'f') RETURNING id",
                (ours.id, ours.project),
            ).fetchall()
            for status in WAY[begin]:
                go(service, flow, status)
            if end in STEPS[begin]:
                go(service, flow, end)
            else:
                with pytest.raises(Error) as refused:
                    go(service, flow, end)
                assert refused.value.sqlstate == "QRY01"
            way = [s for (s,) in service.execute(
                "SELECT to_status FROM discovery.flow_transitions WHERE master_flow_id = %s ORDER BY sequence", (flow,)
            )]  # fmt: skip
            assert way == ["initialized", *WAY[begin], *({end} & STEPS[begin])]


def test_a_flow_runs_again_three_times(acting: Acting, ours: Tenant, ids: Ids) -> None:
    with acting(ours) as service:
        go(service, ids.flow, "running")
        for _ in range(3):
            go(service, ids.flow, "failed")
            go(service, ids.flow, "running")
        go(service, ids.flow, "failed")
        with pytest.raises(Error) as refused:
            go(service, ids.flow, "running")
        assert refused.value.diag.constraint_name == "master_flows_retry_limit"
        go(service, ids.flow, "archived")


def test_every_change_of_a_flow_is_an_event(
    database: Database, acting: Acting, ours: Tenant, ids: Ids
) -> None:
    with acting(ours) as service:
        go(service, ids.flow, "running")
        service.execute(
            "UPDATE discovery.master_flows SET current_phase = 'mapping', reason = NULL"
        )
        service.execute("UPDATE discovery.master_flows SET state = '{\"n\": 1}'")
        go(service, ids.flow, "completed")
    told = database.psql(
        "SELECT sequence, event, data ->> 'status', (data ->> 'progress')::int, is_final FROM core.topic_events"
        " WHERE topic = 'flow' AND topic_id = %s ORDER BY sequence", ids.flow,
    )  # fmt: skip
    assert told == [
        (1, "status", "initialized", 0, False), (2, "status", "running", 0, False),
        (3, "phase", "running", 25, False), (4, "change", "running", 25, False),
        (5, "status", "completed", 25, True),
    ]  # fmt: skip
    database.psql("DELETE FROM discovery.master_flows")
    assert database.psql("SELECT 1 FROM core.topic_events WHERE topic = 'flow'") == []


@pytest.mark.parametrize(
    ("statement", "gone", "unlinked"),
    [
        ("DELETE FROM discovery.master_flows", set[str](), ""),
        ("DELETE FROM discovery.data_imports", {"master_flows", "flow_transitions", "assets", "asset_dependencies"},
         "discovery_flow_id, raw_record_id"),
        ("DELETE FROM discovery.discovery_flows",
         {"master_flows", "flow_transitions", "data_imports", "raw_records", "field_mappings", "assets",
          "asset_dependencies", "asset_conflicts"}, "discovery_flow_id"),
        ("DELETE FROM discovery.raw_records",
         {"master_flows", "flow_transitions", "data_imports", "discovery_flows", "field_mappings", "assets",
          "asset_dependencies"}, "raw_record_id"),
    ],
    ids=["flow", "import", "discovery flow", "row"],
)  # fmt: skip
def test_delete_rules(
    database: Database, ids: Ids, statement: str, gone: set[str], unlinked: str
) -> None:
    """`gone` is what stays; of the asset, only the link to what went is empty."""
    database.psql(statement)
    assert {table for table, count in counts(database).items() if count} == gone
    if unlinked:
        ((flow, discovery, record),) = database.psql(
            "SELECT master_flow_id, discovery_flow_id, raw_record_id FROM discovery.assets"
        )
        assert flow == ids.flow
        assert discovery == (None if "discovery_flow_id" in unlinked else ids.discovery)
        assert record == (None if "raw_record_id" in unlinked else ids.record)


def test_an_asset_that_goes_leaves_its_row(database: Database, ids: Ids) -> None:
    database.psql("DELETE FROM discovery.assets")
    assert database.psql("SELECT asset_id FROM discovery.raw_records") == [(None,)]


def test_a_row_proves_tenant_project_import_and_flow(
    database: Database, ours: Tenant, theirs: Tenant, ids: Ids
) -> None:
    own = {"tenant_id": ours.id, "project_id": ours.project, "data_import_id": ids.data_import,
           "master_flow_id": ids.flow}  # fmt: skip
    foreign = {"tenant_id": theirs.id, "project_id": theirs.project, "data_import_id": ids.flow,
               "master_flow_id": ids.data_import}  # fmt: skip
    for column, value in foreign.items():
        values = own | {column: value}
        with pytest.raises(errors.ForeignKeyViolation):
            database.psql(
                f"INSERT INTO discovery.raw_records ({', '.join(values)}, row_number, raw) VALUES (%s, %s, %s, %s, 9, '{{}}')",
                *values.values(),
            )
        with pytest.raises(errors.NotNullViolation):
            database.psql(
                f"INSERT INTO discovery.raw_records ({', '.join(own)}, row_number, raw) VALUES (%s, %s, %s, %s, 9, '{{}}')",
                *(own | {column: None}).values(),
            )


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE discovery.raw_records SET raw = '{\"a\": 1}'",
        "UPDATE discovery.raw_records SET row_number = 7",
        "UPDATE discovery.flow_transitions SET reason = 'another'",
        "UPDATE discovery.data_imports SET sha256 = sha256('y')",
        "UPDATE discovery.raw_records SET outcome = 'lost'",
        "UPDATE discovery.assets SET hostname = 'UPPER'",
        "UPDATE discovery.field_mappings SET confidence = 1.1",
        "UPDATE discovery.data_imports SET total_rows = 5",
    ],
)
def test_what_may_not_change(database: Database, ids: Ids, change: str) -> None:
    """Not even by a superuser."""
    with pytest.raises(errors.CheckViolation):
        database.psql(change)


def test_counts_of_a_loaded_import_never_change(database: Database, ids: Ids) -> None:
    database.psql(
        "UPDATE discovery.data_imports SET status = 'loaded', total_rows = 1, loaded_rows = 1"
    )
    with pytest.raises(errors.CheckViolation, match="never changes"):
        database.psql("UPDATE discovery.data_imports SET total_rows = 2, loaded_rows = 2")


def test_progress_is_computed(database: Database, acting: Acting, ours: Tenant, ids: Ids) -> None:
    with acting(ours) as service:
        service.execute(
            'UPDATE discovery.discovery_flows SET phases = \'{"upload": {"status": "completed"}, "mapping": {"status": "skipped"}}\''
        )
        for statement in (
            "UPDATE discovery.discovery_flows SET progress = 99",
            "UPDATE discovery.master_flows SET retry_count = 0",
            "INSERT INTO discovery.flow_transitions (to_status) VALUES ('completed')",
        ):
            with pytest.raises(errors.InsufficientPrivilege):
                service.execute(statement)
    database.psql("UPDATE discovery.discovery_flows SET progress = 99")
    assert database.psql("SELECT progress FROM discovery.discovery_flows") == [(25,)]


def test_hosts_are_unique_among_live_assets_of_a_type(
    database: Database, ours: Tenant, ids: Ids
) -> None:
    add = "INSERT INTO discovery.assets (tenant_id, project_id, master_flow_id, name, asset_type, hostname, ip) VALUES (%s, %s, %s, 'n', %s, %s, %s)"
    own = (ours.id, ours.project, ids.flow)
    database.psql(add, *own, "server", "web01", "10.0.0.1")
    database.psql(add, *own, "application", "web01", "10.0.0.1")
    for host, ip in (("web01", None), (None, "10.0.0.1")):
        with pytest.raises(errors.UniqueViolation):
            database.psql(add, *own, "server", host, ip)
    database.psql("UPDATE discovery.assets SET deleted_at = now() WHERE hostname = 'web01'")
    database.psql(add, *own, "server", "web01", "10.0.0.1")


def test_rows_are_conserved_by_outcome(database: Database, ids: Ids) -> None:
    """What was loaded is what has come out or is pending, and there is no other outcome."""
    database.psql(
        "UPDATE discovery.data_imports SET status = 'loaded', total_rows = 1, loaded_rows = 1"
    )
    conserved = """
        SELECT i.loaded_rows = count(r.*) FILTER (WHERE r.outcome IN ('asset', 'merged', 'conflict', 'rejected', 'skipped', 'pending'))
          FROM discovery.data_imports AS i LEFT JOIN discovery.raw_records AS r ON r.data_import_id = i.id
         GROUP BY i.id, i.loaded_rows"""
    for outcome in ("pending", "asset", "merged", "conflict", "rejected", "skipped"):
        database.psql("UPDATE discovery.raw_records SET outcome = %s", outcome)
        assert database.psql(conserved) == [(True,)]
    database.psql("DELETE FROM discovery.raw_records")
    assert database.psql(conserved) == [(False,)]


def copy_line(connection: Any, command: str, line: str) -> None:
    """COPY one line in."""
    with connection.cursor().copy(command) as out:
        out.write(line)


def test_the_service_adds_rows_of_its_own_tenant_alone(
    database: Database, acting: Acting, ours: Tenant, theirs: Tenant, ids: Ids
) -> None:
    """Each partition: COPY of the own tenant's rows, and no way to read, change or name a tenant."""
    ((leaf,),) = database.psql("SELECT tableoid::regclass::text FROM discovery.raw_records")
    copy = f"COPY {leaf} (project_id, data_import_id, master_flow_id, row_number, raw) FROM STDIN"
    line = f"{ours.project}\t{ids.data_import}\t{ids.flow}\t2\t{{}}\n"
    with acting(ours) as service:
        copy_line(service, copy, line)
        for number in range(8):
            part = f"discovery.raw_records_p{number}"
            for statement in (
                f"SELECT 1 FROM {part}", f"UPDATE {part} SET outcome = 'skipped'", f"DELETE FROM {part}",
                f"TRUNCATE {part}", f"INSERT INTO {part} (tenant_id) VALUES ('{theirs.id}')",
                f"INSERT INTO {part} (raw) VALUES ('{{}}') RETURNING raw",
            ):  # fmt: skip
                with pytest.raises(errors.InsufficientPrivilege):
                    service.execute(statement)
    for other, error in ((theirs, errors.ForeignKeyViolation), (None, errors.NotNullViolation)):
        with acting(other) as stranger, pytest.raises((error, errors.CheckViolation)):
            copy_line(stranger, copy, line.replace("\t2\t", "\t3\t"))
    assert database.psql(
        "SELECT DISTINCT tenant_id, count(*) FROM discovery.raw_records GROUP BY 1"
    ) == [(ours.id, 2)]
