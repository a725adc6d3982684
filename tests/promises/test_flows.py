"""The steps of flows, whatever a phase does: state machine, pause, cancel, retry, events."""

from __future__ import annotations

import itertools
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from tests.conftest import Served
from tests.promises.discovery import COMPLETED, WAITING, Discovery
from tests.promises.helpers import ANY_VERSION, Json, at_once, make_project, ok, problem, walk
from tests.promises.inventory import STEPS, make_flow
from tests.support.cluster import Database
from tests.support.server import Server
from tests.support.wait import wait_until

# Which of the statuses may be left by which action: as the specification's page has it.
ACTIONS = ("pause", "resume", "retry", "cancel", "archive", "phases/validation/run", "delete")
ALLOWED = {
    "initialized": {"cancel"},
    "running": {"pause", "cancel"},
    "paused": {"resume", "cancel", "phases/validation/run"},
    "waiting_for_approval": {"resume", "cancel", "phases/validation/run"},
    "failed": {"retry", "cancel", "archive", "phases/validation/run", "delete"},
    "completed": {"archive", "delete"},
    "cancelled": {"archive", "delete"},
    "archived": set(),
}
PHASES = ("upload", "validation", "mapping", "cleansing", "inventory", "conflicts", "dependencies",
          "technical_debt", "completed")  # fmt: skip
ROWS = 50
HOSTS = b"hostname,ip address,environment,depends on\n" + b"".join(
    b"h%d,10.2.0.%d,PROD,h%d\n" % (n, n, n // 2) for n in range(1, ROWS + 1)
)


@pytest.fixture(scope="module")
def server(module_served: Served, module_database: Database) -> Server:
    """A server that looks for jobs often, and at its leases."""
    return module_served(
        module_database, jobs_poll_seconds=0.1, jobs_backoff_seconds=0.1, jobs_lease_seconds=6,
        jobs_concurrency=4,
    )  # fmt: skip


@pytest.fixture
def project(mine: httpx.Client) -> str:
    """A project of its own."""
    return str(make_project(mine)["id"])


def act(client: httpx.Client, path: str, action: str) -> httpx.Response:
    """Ask for a step of a flow."""
    if action == "delete":
        return client.delete(path, headers=ANY_VERSION)
    return client.post(f"{path}/{action}")


def at_the_gate(client: httpx.Client, project: str) -> Discovery:
    """A discovery whose mappings are approved; `resume` takes it through the other phases."""
    one = Discovery(client, project, HOSTS)
    assert one.rest()["current_phase"] == "mapping"
    one.approve()
    return one


@contextmanager
def held(database: Database, one: Discovery) -> Iterator[None]:
    """A phase that changes the rows of the import does not get beyond the first of them."""
    with psycopg.connect(database.owner_dsn) as other:
        other.execute(
            "SELECT FROM discovery.raw_records WHERE data_import_id = %s AND row_number = 1"
            " FOR UPDATE", [one.made["id"]],
        )  # fmt: skip
        yield


def works(database: Database, one: Discovery, phase: str) -> None:
    """Wait until a held phase has come to the row that it does not get."""
    flow = one.made["master_flow_id"]
    wait_until(
        lambda: one.flow()["current_phase"] == phase and database.psql(
            "SELECT 1 FROM pg_stat_activity AS a JOIN pg_locks AS l ON l.pid = a.pid"
            " WHERE a.datname = current_database() AND a.wait_event_type = 'Lock'"
            "   AND l.locktype = 'advisory' AND l.granted AND l.objid::bigint ="
            "       (SELECT hashtextextended(concat('flow ', f.tenant_id, ' ', f.id), 0)"
            "               & 4294967295 FROM discovery.master_flows AS f WHERE f.id = %s)", flow,
        ),
        30, f"{phase} works",
    )  # fmt: skip


def idle(database: Database, one: Discovery) -> None:
    """Wait until no job works on the flow, nor will."""
    flow = one.made["master_flow_id"]
    jobs = "SELECT 1 FROM ops.jobs WHERE args ->> 'flow_id' = %s AND state IN ('queued', 'running')"
    wait_until(lambda: not database.psql(jobs, flow), 30, "no job is left")


@pytest.mark.parametrize("status", STEPS)
def test_every_action_in_every_status(
    mine: httpx.Client, module_database: Database, project: str, status: str
) -> None:
    assert set(STEPS) == set(ALLOWED)
    for action in ACTIONS:
        phase = "completed" if status == "completed" else "validation"
        still = make_flow(module_database, project, status, phase)
        path = f"/projects/{project}/flows/{still.flow}"
        before = ok(mine.get(path))
        assert before["status"] == status
        answer = act(mine, path, action)
        if action in ALLOWED[status]:
            assert answer.status_code in (200, 204), (action, answer.text)
            continue
        told = problem(answer, 409, "illegal_transition")
        assert status in told["detail"] or action == "delete", told
        assert ok(mine.get(path)) == before, action


def test_a_failed_flow_runs_again_three_times(
    mine: httpx.Client, module_database: Database, project: str
) -> None:
    path = f"/projects/{project}/flows/{make_flow(module_database, project, 'failed').flow}"
    again = "UPDATE discovery.master_flows SET status = 'failed', error = '{}' WHERE id = %s"
    for count in (1, 2, 3):
        assert ok(mine.post(f"{path}/retry"))["retry_count"] == count
        wait_until(lambda: ok(mine.get(path))["status"] != "running")
        if ok(mine.get(path))["status"] == WAITING:
            module_database.psql(
                "UPDATE discovery.master_flows SET status = 'running' WHERE id = %s",
                path.rsplit("/", 1)[1],
            )
        module_database.psql(again, path.rsplit("/", 1)[1])
    told = problem(mine.post(f"{path}/retry"), 409, "illegal_transition")
    assert "3" in told["detail"]
    assert ok(mine.get(path))["status"] == "failed"


def test_what_failed_goes_on_once_its_cause_is_gone(
    mine: httpx.Client, module_database: Database, project: str
) -> None:
    one = at_the_gate(mine, project)
    # a job that has one attempt left, so that nobody waits for ten
    module_database.psql(
        "CREATE FUNCTION ops.hurry() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN NEW.max_attempts := 1; RETURN NEW; END';"
        "CREATE TRIGGER hurry BEFORE INSERT ON ops.jobs FOR EACH ROW EXECUTE FUNCTION ops.hurry();"
        "REVOKE INSERT ON discovery.assets FROM quarry_app"
    )
    try:
        ok(one.post("resume"))
        failed = one.rest()
    finally:
        module_database.psql(
            "GRANT INSERT ON discovery.assets TO quarry_app;"
            "DROP TRIGGER hurry ON ops.jobs; DROP FUNCTION ops.hurry()"
        )
    assert (failed["status"], failed["current_phase"]) == ("failed", "inventory")
    assert failed["error"]["phase"] == "inventory" and failed["reason"]
    one.assert_conserved(pending=ROWS)
    ok(one.post("retry"))
    done = one.rest()
    assert (done["status"], done["retry_count"], done["error"]) == (COMPLETED, 1, None)
    one.assert_conserved(asset=ROWS)


def test_a_flow_is_paused_while_a_phase_works(
    mine: httpx.Client, module_database: Database, project: str
) -> None:
    one = at_the_gate(mine, project)
    with held(module_database, one):
        ok(one.post("resume"))
        works(module_database, one, "cleansing")
        paused = ok(one.post("pause"))
        assert (paused["status"], paused["current_phase"]) == ("paused", "cleansing")
        problem(one.post("pause"), 409, "illegal_transition")
        # what would take its rows away has to wait
        purge = mine.delete(one.path, params={"purge": "true"}, headers=ANY_VERSION)
        for answer in (purge, mine.delete(one.import_path)):
            assert "A phase works" in problem(answer, 409, "conflict")["detail"]
            assert answer.headers["retry-after"] == "5"
    idle(module_database, one)
    flow = one.flow()
    assert (flow["status"], flow["current_phase"]) == ("paused", "inventory"), "its work is kept"
    assert flow["phases"]["cleansing"]["status"] == "completed"
    rows = walk(mine, f"{one.path}/preview", limit=20)
    assert [row["row_number"] for row in rows] == list(range(1, ROWS + 1))
    assert {row["outcome"] for row in rows} == {"pending"}
    assert {row["cleansed"]["environment"] for row in rows} == {"production"}
    assert {row["raw"]["environment"] for row in rows} == {"PROD"}
    assert walk(mine, f"/projects/{project}/assets") == []
    assert one.go_on()["status"] == COMPLETED
    one.assert_conserved(asset=ROWS)


def test_a_flow_goes_on_while_the_phase_it_was_paused_in_works(
    mine: httpx.Client, module_database: Database, project: str
) -> None:
    one = at_the_gate(mine, project)
    with held(module_database, one):
        ok(one.post("resume"))
        works(module_database, one, "cleansing")
        ok(one.post("pause"))
        ok(one.post("resume"))
    assert one.rest()["status"] == COMPLETED
    idle(module_database, one)
    one.assert_conserved(asset=ROWS)
    seen = module_database.psql(
        "SELECT to_phase FROM discovery.flow_transitions WHERE master_flow_id = %s"
        " ORDER BY sequence", one.made["master_flow_id"],
    )  # fmt: skip
    assert tuple(phase for phase, _ in itertools.groupby(p for (p,) in seen)) == PHASES


def test_a_flow_is_cancelled_while_a_phase_works(
    mine: httpx.Client, module_database: Database, project: str
) -> None:
    one = at_the_gate(mine, project)
    with held(module_database, one):
        ok(one.post("resume"))
        works(module_database, one, "cleansing")
        assert ok(one.post("cancel"))["status"] == "cancelled"
        idle(module_database, one)
    wait_until(lambda: mine.delete(one.import_path).status_code == 204, what="nobody works on it")
    assert one.flow()["current_phase"] == "cleansing"
    assert walk(mine, f"/projects/{project}/assets") == []
    assert ok(act(mine, one.path, "archive"))["status"] == "archived"


def test_a_phase_that_was_overtaken_leaves_nothing(
    mine: httpx.Client, module_database: Database, project: str
) -> None:
    one = at_the_gate(mine, project)
    with held(module_database, one):
        ok(one.post("resume"))
        works(module_database, one, "cleansing")
        # the state alone: without the job that `cancel` ends, so that the phase comes to its end
        module_database.psql(
            "UPDATE discovery.master_flows SET status = 'cancelled' WHERE id = %s",
            one.made["master_flow_id"],
        )
    idle(module_database, one)
    flow = one.flow()
    assert (flow["status"], flow["current_phase"]) == ("cancelled", "cleansing")
    assert {row["cleansed"] for row in walk(mine, f"{one.import_path}/records")} == {None}
    assert "cleansing" not in flow["phases"]


def test_phases_are_done_again_from_where_somebody_says(
    mine: httpx.Client, module_database: Database, project: str
) -> None:
    one = at_the_gate(mine, project)
    with held(module_database, one):
        ok(one.post("resume"))
        works(module_database, one, "cleansing")
        ok(one.post("pause"))
        problem(one.post("phases/inventory/run"), 409, "conflict")
        again = ok(one.post("phases/mapping/run"))
        assert (again["status"], again["current_phase"]) == ("running", "mapping")
        assert set(one.flow()["phases"]) == {"upload", "validation"}
    assert one.rest()["status"] == COMPLETED
    idle(module_database, one)
    one.assert_conserved(asset=ROWS)
    seen = [event["data"]["current_phase"] for event in events(mine, one)]
    assert seen.count("mapping") > 1 and seen.count("completed") == 1


def events(client: httpx.Client, one: Discovery, after: int | None = None) -> list[Json]:
    """The events of a flow until the stream ends."""
    headers = {} if after is None else {"Last-Event-ID": str(after)}
    found: list[Json] = []
    with client.stream("GET", f"{one.path}/events", headers=headers, timeout=60) as stream:
        assert stream.status_code == 200
        one_event: dict[str, Any] = {}
        for line in stream.iter_lines():
            name, _, value = line.partition(": ")
            if name == "id":
                one_event["id"] = int(value)
            elif name == "event":
                one_event["event"] = value
            elif name == "data":
                found.append(one_event | {"data": httpx.Response(200, text=value).json()})
    return found


def test_a_listener_sees_each_phase_and_may_come_back(mine: httpx.Client, project: str) -> None:
    one = at_the_gate(mine, project)
    live: list[Json] = []
    listener = threading.Thread(target=lambda: live.extend(events(mine, one)))
    listener.start()
    assert one.go_on()["status"] == COMPLETED
    listener.join(60)
    assert [event["id"] for event in live] == list(range(1, len(live) + 1)), "without a gap"
    phases = [event["data"]["current_phase"] for event in live]
    assert tuple(phase for phase, _ in itertools.groupby(phases)) == PHASES
    progress = [event["data"]["progress"] for event in live]
    assert progress == sorted(progress) and (progress[0], progress[-1]) == (0, 100)
    assert (live[-1]["event"], live[-1]["data"]["status"]) == ("status", COMPLETED)
    assert events(mine, one, after=live[3]["id"]) == live[4:]
    end = mine.get(f"{one.path}/events", headers={"Last-Event-ID": str(live[-1]["id"])})
    assert end.status_code == 204
    bad = mine.get(f"{one.path}/events", headers={"Last-Event-ID": "x"})
    problem(bad, 400, "bad_header")


def test_the_inventory_of_one_tenant_holds_up_no_other(
    mine: httpx.Client, theirs: httpx.Client, module_database: Database, project: str
) -> None:
    one = at_the_gate(mine, project)
    with inventory_held(module_database, one):
        ok(one.post("resume"))
        works(module_database, one, "inventory")
        others = at_once(
            [
                lambda: at_the_gate(theirs, str(make_project(theirs)["id"])),
                lambda: at_the_gate(mine, str(make_project(mine)["id"])),
            ]
        )
        for other in others:
            assert other.go_on()["status"] == COMPLETED
            other.assert_conserved(asset=ROWS)
            waits = "SELECT last_error FROM ops.jobs WHERE args ->> 'flow_id' = %s"
            found = module_database.psql(waits, other.made["master_flow_id"])
            assert set(found) == {(None,)}, "it did not wait for the inventory of another project"
        assert (one.flow()["status"], one.flow()["current_phase"]) == ("running", "inventory")
        one.assert_conserved(pending=ROWS)
        assert theirs.get(one.path).status_code == 404
        assert theirs.post(f"{one.path}/cancel").status_code == 404
    assert one.rest()["status"] == COMPLETED
    one.assert_conserved(asset=ROWS)


@contextmanager
def inventory_held(database: Database, one: Discovery) -> Iterator[None]:
    """The inventory of this import does not get beyond making its first asset."""
    with psycopg.connect(database.owner_dsn) as other:
        other.execute(
            "INSERT INTO discovery.assets (tenant_id, project_id, master_flow_id, name,"
            "                              asset_type, hostname)"
            "SELECT f.tenant_id, f.project_id, f.id, 'h1', 'server', 'h1'"
            "  FROM discovery.master_flows AS f WHERE f.id = %s", [one.made["master_flow_id"]],
        )  # fmt: skip
        yield
        other.rollback()


def test_eight_flows_at_once_never_deadlock(
    mine: httpx.Client, module_database: Database, project: str
) -> None:
    projects = [project, str(make_project(mine)["id"])]
    head = b"hostname,ip address,os,depends on\n"
    rows = [b"h%d,10.1.%d.%d,Linux,h%d\n" % (n, n // 250, n % 250 + 1, n // 3) for n in range(400)]
    files = [head + b"".join(rows[at:] + rows[:at]) for at in range(0, 400, 100)]
    flows = at_once([lambda p=p, f=f: Discovery(mine, p, f) for f in files for p in projects])
    ends = at_once([lambda one=one: one.to_the_end() for one in flows])
    assert all(end["retry_count"] == 0 for end in ends)
    for each in projects:
        totals = [one.outcomes() for one in flows if one.project == each]
        assert sum(t["asset"] for t in totals) == 400
        assert sum(t["merged"] for t in totals) == 1200
    tries = module_database.psql(
        "SELECT max(attempts), max(last_error) FILTER (WHERE last_error NOT LIKE 'Another%%')"
        "  FROM ops.jobs WHERE args ->> 'flow_id' = ANY (%s)",
        [one.made["master_flow_id"] for one in flows],
    )
    assert tries == [(1, None)], "none was tried twice"
    time.sleep(1.1)  # what backends count comes in once a second
    assert module_database.psql(
        "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    ) == [(0,)]


def test_a_removal_that_is_refused_changes_nothing(
    mine: httpx.Client, module_database: Database, project: str
) -> None:
    one = Discovery(mine, project, HOSTS)
    one.to_the_end()
    linked = "SELECT id, raw_record_id, version FROM discovery.assets WHERE project_id = %s"
    before = sorted(module_database.psql(linked, project))
    assert all(row[1] for row in before)
    for path in (one.path, f"/projects/{project}/flows/{one.made['id']}"):
        answer = mine.delete(path, params={"purge": "true"}, headers={"If-Match": '"1"'})
        assert answer.status_code == (412 if path == one.path else 404), answer.text
    assert sorted(module_database.psql(linked, project)) == before


def test_a_command_that_is_interrupted_tells_what_goes_on(
    server: Server, mine: httpx.Client, module_database: Database, project: str, tmp_path: Path
) -> None:
    file, key = tmp_path / "hosts.csv", tmp_path / "key"
    file.write_bytes(HOSTS)
    key.write_text(server.key("acme"))
    one = Discovery(mine, project, HOSTS)
    one.rest()
    command = [sys.executable, "-m", "service", "import", str(file), "--project", project,
               "--approve-all", "--follow", "--url", server.url,
               "--key-file", str(key)]  # fmt: skip
    with held(module_database, one), subprocess.Popen(
        command, env=server.environment, cwd=server.folder, stderr=subprocess.PIPE, text=True
    ) as running:  # fmt: skip
        works(module_database, one, "cleansing")
        running.send_signal(signal.SIGINT)
        _, told = running.communicate(timeout=60)
    assert running.returncode == 130, told
    assert one.made["id"] in told and "Traceback" not in told
    assert one.rest()["status"] == COMPLETED, "the flow went on"
