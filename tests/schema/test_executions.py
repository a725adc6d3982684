"""Executions: the state machine, the times that it sets, its events and audit rows, the sweepers."""
# ruff: noqa: E501 (SQL in one line)

from __future__ import annotations

import itertools
import threading
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg import errors

from service.database.queries import load
from tests.schema.conftest import Acting, Connection, Tenant
from tests.schema.test_workspace import one, refused
from tests.support.cluster import Database
from tests.support.server import SQL_DIR

STEPS = {
    "pending": ["running", "cancelled", "failed"],
    "running": ["completed", "failed", "cancelled", "needs_input"],
    "needs_input": ["running", "cancelled", "failed"],
    "completed": [],
    "failed": [],
    "cancelled": [],
}
# How a new execution comes to a state.
WAYS = {
    "pending": [],
    "running": ["running"],
    "needs_input": ["running", "needs_input"],
    "completed": ["running", "completed"],
    "failed": ["running", "failed"],
    "cancelled": ["cancelled"],
}
CREATE = (
    "INSERT INTO workspace.agent_executions (tenant_id, project_id, agent_type, correlation_id)"
    " VALUES (%s, %s, 'writer', 'c') RETURNING id"
)
STEP = "UPDATE workspace.agent_executions SET status = %s WHERE id = %s"
HEARTBEAT = "UPDATE workspace.agent_executions SET heartbeat_at = clock_timestamp() WHERE id = %s"
AGED = """UPDATE workspace.agent_executions
             SET created_at = created_at - interval '1 hour', started_at = started_at - interval '1 hour',
                 heartbeat_at = heartbeat_at - interval '1 hour' WHERE id = ANY (%s)"""


def make(connection: Connection, tenant: Tenant, status: str = "pending") -> UUID:
    made: UUID = one(connection, CREATE, tenant.id, tenant.project)
    for step in WAYS[status]:
        connection.execute(STEP, (step, made))
    return made


def row(connection: Connection, execution: UUID, *columns: str) -> tuple[Any, ...]:
    found = connection.execute(
        f"SELECT {', '.join(columns)} FROM workspace.agent_executions WHERE id = %s", (execution,)
    ).fetchone()
    assert found
    return found


def trail(database: Database, execution: UUID) -> list[tuple[Any, ...]]:
    """Action and changed columns of its audit rows."""
    rows = database.psql(
        "SELECT action, coalesce(after, before), actor FROM audit.events WHERE row_id = %s ORDER BY at, id",
        execution,
    )
    return [(action, set(image), actor) for action, image, actor in rows]


def told(database: Database, execution: UUID) -> list[tuple[Any, ...]]:
    """Its events."""
    return database.psql(
        "SELECT sequence, event, data ->> 'status', is_final FROM core.topic_events"
        " WHERE topic = 'execution' AND topic_id = %s ORDER BY sequence",
        execution,
    )


def age(database: Database, *executions: UUID) -> None:
    """An hour passes since they were heard of."""
    with psycopg.connect(database.owner_dsn, autocommit=True) as owner:
        owner.execute("SET session_replication_role = replica")
        owner.execute(AGED, [list(executions)])


# The state machine


@pytest.mark.parametrize("old", STEPS)
@pytest.mark.parametrize("superuser", [False, True], ids=["service", "superuser"])
def test_every_step_that_is_not_in_the_table_is_refused_and_names_both_states(
    database: Database, acting: Acting, ours: Tenant, old: str, superuser: bool
) -> None:
    with acting(ours) as service, psycopg.connect(database.owner_dsn, autocommit=True) as owner:
        writer = owner if superuser else service
        for new in STEPS:
            execution = make(service, ours, old)
            if new in STEPS[old]:
                writer.execute(STEP, (new, execution))
                assert row(service, execution, "status") == (new,)
                continue
            before = row(service, execution, "*")
            with pytest.raises(psycopg.Error, match=f"from {old} to {new}") as caught:
                writer.execute(STEP, (new, execution))
            assert caught.value.sqlstate == "QRY01"
            assert caught.value.diag.constraint_name == "agent_executions_status_step"
            assert row(service, execution, "*") == before


def test_the_steps_of_the_database_are_those_of_the_table(acting: Acting, ours: Tenant) -> None:
    with acting(ours) as connection:
        for status, steps in STEPS.items():
            assert one(connection, "SELECT workspace.execution_steps(%s)", status) == steps


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
def test_what_is_final_changes_no_more(acting: Acting, ours: Tenant, status: str) -> None:
    with acting(ours) as connection:
        execution = make(connection, ours, status)
        before = row(connection, execution, "*")
        for change in ("output = '{}'", "error_message = 'late'", "progress = 99"):
            with pytest.raises(psycopg.Error, match=f"{status} is final") as caught:
                connection.execute(f"UPDATE workspace.agent_executions SET {change}")
            assert caught.value.sqlstate == "QRY01"
        connection.execute(HEARTBEAT, (execution,))  # changes nothing, so nothing is refused
        assert row(connection, execution, "*") == before


def test_of_many_who_finish_one_at_once_one_does(acting: Acting, ours: Tenant) -> None:
    results: list[str] = []
    gate = threading.Barrier(20)
    with acting(ours) as connection:
        execution = make(connection, ours, "running")

    def finish(status: str) -> None:
        with acting(ours) as connection:
            gate.wait()
            try:
                connection.execute(STEP, (status, execution))
                results.append(status)
            except psycopg.Error as error:
                assert error.sqlstate == "QRY01"

    ways = itertools.cycle(["completed", "failed"])
    threads = [threading.Thread(target=finish, args=(next(ways),)) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with acting(ours) as connection:
        assert row(connection, execution, "status", "version") == (results[0], 3)
    assert len(results) == 1


# Times


def test_running_sets_its_times_and_a_final_state_the_end(acting: Acting, ours: Tenant) -> None:
    times = ("started_at", "heartbeat_at", "completed_at", "duration_ms")
    with acting(ours) as connection:
        execution = make(connection, ours)
        assert row(connection, execution, *times) == (None, None, None, None)
        connection.execute(STEP, ("running", execution))
        started, beat, ended, _ = row(connection, execution, *times)
        assert started and beat >= started and ended is None
        connection.execute(STEP, ("needs_input", execution))
        connection.execute(STEP, ("running", execution))
        again, later, _, _ = row(connection, execution, *times)
        assert again == started, "it started once"
        assert later > beat, "and has been waited for, not silent"
        connection.execute("SELECT pg_sleep(0.05)")
        connection.execute(STEP, ("completed", execution))
        _, _, ended, lasted = row(connection, execution, *times)
        assert abs(lasted - (ended - started).total_seconds() * 1000) <= 0.5
        assert lasted >= 50


def test_an_end_without_a_start_has_no_duration(acting: Acting, ours: Tenant) -> None:
    with acting(ours) as connection:
        execution = make(connection, ours, "cancelled")
        started, ended, lasted = row(
            connection, execution, "started_at", "completed_at", "duration_ms"
        )
        assert (started, lasted) == (None, None) and ended


def test_times_and_version_are_the_databases_own(
    database: Database, acting: Acting, ours: Tenant
) -> None:
    columns = ("started_at", "completed_at", "version", "updated_at", "heartbeat_at")
    with acting(ours) as connection:
        execution = make(connection, ours, "running")
        before = row(connection, execution, *columns)
        database.psql(
            "UPDATE workspace.agent_executions SET started_at = '2001-01-01', completed_at = '2001-01-01',"
            " version = 99, updated_at = '2001-01-01', heartbeat_at = '2001-01-01'"
        )
        assert row(connection, execution, *columns) == before
        stored = database.psql(
            "SELECT attgenerated FROM pg_attribute WHERE attname = 'duration_ms'"
            " AND attrelid = 'workspace.agent_executions'::regclass"
        )
        assert stored == [("s",)]


@pytest.mark.parametrize(
    ("constraint", "change"),
    [
        ("agent_executions_progress_range", "progress = 101"),
        ("agent_executions_progress_range", "progress = -1"),
        ("agent_executions_output_object", "output = '[]'"),
        ("agent_executions_error_message_length", "error_message = repeat('x', 10001)"),
        ("agent_executions_input_immutable", "input = '{\"a\": 1}'"),
        ("agent_executions_agent_type_immutable", "agent_type = 'x'"),
        ("agent_executions_correlation_id_immutable", "correlation_id = 'x'"),
        ("agent_executions_project_id_immutable", "project_id = uuidv7()"),
        ("agent_executions_requested_by_immutable", "requested_by = uuidv7()"),
        ("agent_executions_id_immutable", "id = uuidv7()"),
        ("agent_executions_tenant_id_immutable", "tenant_id = uuidv7()"),
        ("agent_executions_created_at_immutable", "created_at = '2001-01-01'"),
    ],
)
def test_an_execution_keeps_its_rules(
    database: Database, acting: Acting, ours: Tenant, constraint: str, change: str
) -> None:
    with acting(ours) as connection:
        make(connection, ours, "running")
    with psycopg.connect(database.owner_dsn) as owner:
        refused(owner, constraint, f"UPDATE workspace.agent_executions SET {change}")


@pytest.mark.parametrize(
    ("constraint", "columns", "values"),
    [
        ("agent_type_length", "agent_type", "''"),
        ("agent_type_length", "agent_type", "repeat('x', 51)"),
        ("correlation_id_shape", "correlation_id", "''"),
        ("correlation_id_shape", "correlation_id", "'two words'"),
        ("correlation_id_shape", "correlation_id", "repeat('x', 129)"),
        ("input_object", "input", "'[]'"),
        ("status_known", "status", "'lost'"),
        ("started_at_fits", "status", "'running'"),
        ("started_at_fits", "started_at, heartbeat_at", "now(), now()"),
        ("completed_at_fits", "status, started_at, heartbeat_at", "'completed', now(), now()"),
        ("completed_at_fits", "completed_at", "now()"),
        ("heartbeat_at_fits", "status, started_at", "'running', now()"),
        ("times_in_order", "status, started_at, heartbeat_at, completed_at",
         "'failed', now(), now(), now() - interval '1 s'"),
    ],
)  # fmt: skip
def test_no_row_contradicts_itself_even_a_superusers(
    database: Database, ours: Tenant, constraint: str, columns: str, values: str
) -> None:
    needed = {"tenant_id": f"'{ours.id}'", "project_id": f"'{ours.project}'",
              "agent_type": "'a'", "correlation_id": "'c'"}  # fmt: skip
    fixed = {n: v for n, v in needed.items() if n not in columns.split(", ")}
    with psycopg.connect(database.owner_dsn) as owner:
        refused(
            owner, f"agent_executions_{constraint}",
            f"INSERT INTO workspace.agent_executions ({', '.join([*fixed, columns])})"
            f" VALUES ({', '.join([*fixed.values(), values])})",
        )  # fmt: skip


# Heartbeats


def test_a_heartbeat_is_no_change(database: Database, acting: Acting, ours: Tenant) -> None:
    with acting(ours) as connection:
        execution = make(connection, ours, "running")
        before = row(connection, execution, "version", "updated_at")
        (beat,) = row(connection, execution, "heartbeat_at")
        for _ in range(5):
            connection.execute(HEARTBEAT, (execution,))
        assert row(connection, execution, "version", "updated_at") == before
        (later,) = row(connection, execution, "heartbeat_at")
        assert later > beat
        assert len(trail(database, execution)) == len(told(database, execution)) == 2
        connection.execute("UPDATE workspace.agent_executions SET progress = 5")
        assert row(connection, execution, "heartbeat_at") > (later,), "a report is a sign of life"
    assert len(trail(database, execution)) == len(told(database, execution)) == 3


def test_heartbeats_touch_no_index(database: Database, acting: Acting, ours: Tenant) -> None:
    hot = "SELECT pg_stat_get_xact_tuples_hot_updated('workspace.agent_executions'::regclass)"
    with acting(ours) as connection:
        execution = make(connection, ours, "running")
        with connection.transaction():
            connection.execute(HEARTBEAT, (execution,))
            connection.execute("UPDATE workspace.agent_executions SET progress = 5")
            assert one(connection, hot) == 2


# Audit and events


def test_every_change_is_in_the_trail_and_an_event(
    database: Database, acting: Acting, ours: Tenant
) -> None:
    with acting(ours, actor="key:7") as connection:
        execution = make(connection, ours, "running")
        connection.execute("UPDATE workspace.agent_executions SET progress = 5")
        connection.execute("UPDATE workspace.agent_executions SET progress = 5")  # no change
        connection.execute(
            "UPDATE workspace.agent_executions SET status = 'completed', output = '{\"a\": 1}'"
        )
    assert told(database, execution) == [
        (1, "status", "pending", False), (2, "status", "running", False),
        (3, "change", "running", False), (4, "status", "completed", True),
    ]  # fmt: skip
    found = trail(database, execution)
    assert [(action, actor) for action, _, actor in found] == [
        ("insert", "key:7"), *[("update", "key:7")] * 3,
    ]  # fmt: skip
    always = {"version", "updated_at"}
    assert found[1][1] == {"status", "started_at"} | always
    assert found[2][1] == {"progress"} | always
    assert found[3][1] == {"status", "output", "completed_at", "duration_ms"} | always
    assert not {"input", "heartbeat_at"} & found[0][1]


def test_an_event_is_small_whatever_the_execution_holds(
    database: Database, acting: Acting, ours: Tenant
) -> None:
    with acting(ours) as connection:
        execution = make(connection, ours, "running")
        connection.execute(
            "UPDATE workspace.agent_executions SET error_message = repeat('漢', 10000),"
            " output = jsonb_build_object('a', repeat('x', 100000))"
        )
    size = "SELECT octet_length(data::text) FROM core.topic_events WHERE topic_id = %s AND sequence = 3"
    assert database.psql(size, execution)[0][0] < 4096


def test_what_is_rolled_back_is_not_told(database: Database, acting: Acting, ours: Tenant) -> None:
    with acting(ours) as connection:
        execution = make(connection, ours, "running")
        with connection.transaction(force_rollback=True):
            connection.execute(STEP, ("completed", execution))
        connection.execute(STEP, ("failed", execution))
    assert told(database, execution)[2:] == [(3, "status", "failed", True)]


def test_listeners_are_woken_at_the_commit_with_what_they_need(
    database: Database, acting: Acting, ours: Tenant
) -> None:
    with psycopg.connect(database.app_dsn, autocommit=True) as listener, acting(ours) as connection:
        listener.execute("LISTEN quarry_events")
        with connection.transaction():
            execution = make(connection, ours, "running")
            assert list(listener.notifies(timeout=0.2)) == []
        heard = [n.payload for n in listener.notifies(timeout=5, stop_after=2)]
        assert heard == [f"{ours.id} execution {execution} {n}" for n in (1, 2)]
        connection.execute(HEARTBEAT, (execution,))
        connection.execute(STEP, ("completed", execution))
        assert [n.payload[-2:] for n in listener.notifies(timeout=5, stop_after=1)] == [" 3"]


def test_events_go_with_their_project(database: Database, acting: Acting, ours: Tenant) -> None:
    with acting(ours) as connection:
        execution = make(connection, ours, "completed")
        connection.execute("DELETE FROM workspace.projects")
    assert told(database, execution) == []
    assert trail(database, execution)[-1][0] == "delete"


@pytest.mark.parametrize(
    ("constraint", "column", "value"),
    [
        ("topic_events_topic_shape", "topic", "Two words"),
        ("topic_events_event_shape", "event", "a\nid: 9"),
        ("topic_events_sequence_positive", "sequence", 0),
        ("topic_events_data_object", "data", "[]"),
        ("topic_events_data_size", "data", f'{{"a": "{"x" * 16384}"}}'),
    ],
)
def test_an_event_can_be_sent_as_it_is(
    acting: Acting, ours: Tenant, constraint: str, column: str, value: object
) -> None:
    values = {"tenant_id": ours.id, "topic": "import", "topic_id": ours.id, "sequence": 1,
              "event": "status", "data": "{}"} | {column: value}  # fmt: skip
    insert = f"INSERT INTO core.topic_events ({', '.join(values)}) VALUES ({', '.join(['%s'] * len(values))})"
    with acting(ours) as connection:
        refused(connection, constraint, insert, *values.values())


def test_old_events_are_swept_but_never_the_last_one(
    database: Database, acting: Acting, ours: Tenant, theirs: Tenant
) -> None:
    old = []
    for tenant in (ours, theirs):
        with acting(tenant) as connection:
            old += [make(connection, tenant, "completed"), make(connection, tenant, "running")]
    database.psql("UPDATE core.topic_events SET created_at = now() - interval '8 days'")
    with acting(ours) as connection:
        fresh = make(connection, ours, "running")
    sweep = "SELECT core.sweep_events('7 days', 3)"
    with acting() as nobody:
        assert [one(nobody, sweep) for _ in range(4)] == [3, 3, 2, 0]
    assert [len(told(database, execution)) for execution in [*old, fresh]] == [1, 0, 1, 0, 2]
    assert told(database, old[0]) == [(3, "status", "completed", True)]


# The sweeper


def test_silent_executions_of_all_tenants_fail_and_others_go_on(
    database: Database, acting: Acting, ours: Tenant, theirs: Tenant
) -> None:
    silent, kept = [], []
    for tenant in (ours, theirs):
        with acting(tenant) as connection:
            silent += [make(connection, tenant, "running") for _ in range(3)]
            others = [
                make(connection, tenant, status)
                for status in ("pending", "needs_input", "completed")
            ]
            alive = make(connection, tenant, "running")
            fresh = make(connection, tenant, "running")
            age(database, *silent, *others, alive)
            connection.execute(HEARTBEAT, (alive,))
            kept += [*others, alive, fresh]
    states = (
        "SELECT id, status, version FROM workspace.agent_executions WHERE id = ANY (%s) ORDER BY id"
    )
    before = database.psql(states, kept)
    sweep = "SELECT workspace.sweep_executions('15 minutes', 4)"
    with acting(actor="sweeper") as nobody:
        assert [one(nobody, sweep) for _ in range(3)] == [4, 2, 0]
    assert database.psql(states, kept) == before
    for execution in silent:
        found = database.psql(
            "SELECT status, error_message, completed_at IS NOT NULL FROM workspace.agent_executions WHERE id = %s",
            execution,
        )
        assert found == [("failed", "no heartbeat", True)]
        assert told(database, execution)[-1] == (3, "status", "failed", True)
        assert trail(database, execution)[-1] == (
            "update",
            {"status", "error_message", "completed_at", "duration_ms", "version", "updated_at"},
            "sweeper",
        )


def test_sweepers_pass_by_what_is_in_use_and_by_each_other(
    database: Database, acting: Acting, ours: Tenant
) -> None:
    with acting(ours) as connection:
        executions = [make(connection, ours, "running") for _ in range(10)]
        age(database, *executions)
        swept: list[int] = []

        def sweep() -> None:
            with acting() as nobody:
                swept.append(one(nobody, "SELECT workspace.sweep_executions('15 minutes', 4)"))

        with connection.transaction():
            connection.execute(STEP, ("completed", executions[0]))
            threads = [threading.Thread(target=sweep) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert sum(swept) == 9
        assert row(connection, executions[0], "status") == ("completed",)


def test_the_sweeper_finds_them_by_their_index(database: Database, ours: Tenant) -> None:
    with psycopg.connect(database.owner_dsn) as owner:
        owner.execute("SET enable_seqscan = off")
        plan = owner.execute(
            "EXPLAIN SELECT id FROM workspace.agent_executions WHERE status = 'running'"
            " AND started_at < now() - interval '15 min' ORDER BY started_at LIMIT 100"
        ).fetchall()
    assert "agent_executions_running_idx" in str(plan) and "Sort" not in str(plan)


def plan_of(database: Database, tenant: Tenant, query: str) -> str:
    """The generic plan of a named query with some hundred rows, as if they were many more."""
    with psycopg.connect(database.owner_dsn, autocommit=True) as owner:
        owner.execute("SET session_replication_role = replica")
        owner.execute(
            "INSERT INTO workspace.agent_executions (tenant_id, project_id, agent_type, correlation_id, created_at)"
            " SELECT %s, %s, 'writer', n, now() - n * interval '1 hour' FROM generate_series(1, 500) AS n",
            (tenant.id, tenant.project),
        )
        owner.execute("VACUUM (ANALYZE) workspace.agent_executions")
    with psycopg.connect(database.app_dsn) as connection:
        connection.execute("SET enable_seqscan = off")
        connection.execute("SET enable_bitmapscan = off")
        text = load(SQL_DIR)[query].sql
        rows = connection.execute(f"EXPLAIN (GENERIC_PLAN) {text}".encode()).fetchall()
        return "\n".join(line for (line,) in rows)


@pytest.mark.parametrize(
    ("query", "index"),
    [("list", "newest"), ("list_open", "open"), ("list_correlated", "correlation")],
)
def test_each_list_comes_in_the_order_of_its_index(
    database: Database, ours: Tenant, query: str, index: str
) -> None:
    plan = plan_of(database, ours, f"executions.{query}")
    assert f"Index Scan using agent_executions_{index}_idx" in plan
    assert "Sort" not in plan
    condition = plan.split(f"agent_executions_{index}_idx")[1].split("Index Cond: ")[1]
    assert "ROW(created_at, id) < ROW(" in condition.splitlines()[0]


def test_the_figures_are_read_from_the_index_alone(database: Database, ours: Tenant) -> None:
    plan = plan_of(database, ours, "executions.metrics")
    assert plan.count("Index Only Scan using agent_executions_newest_idx") == 2
    assert "HashAggregate" in plan


def test_the_service_may_call_the_sweepers_and_reports_may_not(database: Database) -> None:
    dsn = psycopg.conninfo.make_conninfo(database.owner_dsn, user="quarry_readonly")
    for call in ("workspace.sweep_executions('1 h')", "core.sweep_events('1 h')"):
        database.psql(f"SELECT {call}", dsn=database.app_dsn)
        with pytest.raises(errors.InsufficientPrivilege):
            database.psql(f"SELECT {call}", dsn=dsn)
