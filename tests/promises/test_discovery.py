"""Real inventories go through all phases over HTTP, and every row has become something."""

from __future__ import annotations

from pathlib import Path

import httpx
import orjson
import psycopg
import pytest

from tests.conftest import Served
from tests.promises.discovery import COMPLETED, WAITING, Discovery, real
from tests.promises.helpers import at_once, make_project, ok, problem, walk
from tests.support.cluster import Database
from tests.support.server import Server
from tests.support.wait import wait_until


@pytest.fixture(scope="module")
def server(module_served: Served, module_database: Database) -> Server:
    """A server that looks for jobs often."""
    return module_served(module_database, jobs_poll_seconds=0.2, jobs_backoff_seconds=0.1)


@pytest.fixture
def project(mine: httpx.Client) -> str:
    """A project of its own."""
    return str(make_project(mine)["id"])


HOSTS = b"""hostname,type,ip address,os,os version,environment,memory (MB),depends on,note
web01,Virtual Machine,10.0.0.1,Ubuntu,18.04,PROD,16384,"db01, cache",first
WEB01.,vm,10.0.0.1,Ubuntu,18.04,production,16384,"db01, cache",again
db01,Physical Server,10.0.0.2,Windows Server,2012 R2,prd,32768,(blank),n/a
,,,,,,,,
,,,,,,,,only a note
"""


def test_rows_are_cleansed_deduplicated_and_assessed(mine: httpx.Client, project: str) -> None:
    one = Discovery(mine, project, HOSTS, category="infrastructure")
    waiting = one.rest()
    assert (waiting["status"], waiting["current_phase"]) == (WAITING, "mapping")
    assert waiting["reason"].startswith("0 of 9 columns")
    targets = {m["source_field"]: m["target_field"] for m in one.mappings()}
    assert targets["note"] == "custom" and targets["memory (MB)"] == "memory_gb"
    done = one.to_the_end()
    assert done["progress"] == 100
    one.assert_conserved(asset=2, merged=1, rejected=1, skipped=1)
    records = walk(mine, f"{one.import_path}/records")
    assert records[0]["cleansed"]["asset_type"] == "server"
    assert records[0]["cleansed"]["memory_gb"] == "16"
    assert "dependencies" not in records[2]["cleansed"], "(blank) is nothing"
    changed = [f for f in records[0]["findings"] if f.get("field") == "type"]
    assert changed[0]["from"] == "Virtual Machine" and changed[0]["to"] == "server"
    assert records[0]["asset_id"] == records[1]["asset_id"]


def test_both_real_files_go_to_their_last_row(mine: httpx.Client, project: str) -> None:
    first = Discovery(mine, project, real("gov_domains.csv"))
    first.to_the_end()
    assert first.outcomes()["asset"] > 16_000
    again = Discovery(mine, project, real("gov_domains.csv"))
    assert (again.answer.status_code, again.made["id"]) == (200, first.made["id"])
    second = Discovery(mine, project, real("gov_websites.csv"))
    second.rest()
    second.approve()
    flow = second.go_on()
    assert (flow["status"], flow["current_phase"]) == (WAITING, "conflicts")
    found = second.assert_conserved(pending=0)
    assert found["conflict"] > 0 and found["asset"] > 0, "both files have some hosts in common"
    problem(second.post("resume"), 409, "conflict")
    assert second.resolve("keep_existing") == found["conflict"]
    assert second.go_on()["status"] == COMPLETED
    second.assert_conserved(pending=0, conflict=0)


def test_a_command_takes_a_file_to_its_last_row(
    server: Server, mine: httpx.Client, project: str, tmp_path: Path
) -> None:
    file, key = tmp_path / "hosts.csv", tmp_path / "key"
    file.write_bytes(HOSTS)
    key.write_text(server.key("acme"))
    done = server.quarry(
        "import", str(file), "--project", project, "--approve-all", "--follow", "--json",
        "--key-file", str(key), "--url", server.url,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = orjson.loads(done.stdout)
    assert told["flow"]["status"] == COMPLETED
    assert ok(mine.get(f"/projects/{project}/assets/summary"))


def test_the_gate_opens_at_its_share(mine: httpx.Client, project: str) -> None:
    one = Discovery(mine, project, b"hostname,a,b,c,d\nhost1,1,2,3,4\n")
    one.rest()
    path = f"{one.import_path}/mappings"

    def decide(*names: str) -> None:
        body = [{"source_field": n, "target_field": "hostname" if n == "hostname" else "custom",
                 "status": "approved"} for n in names]  # fmt: skip
        ok(mine.put(path, json={"mappings": body}))

    decide("hostname", "a")
    assert "2 of 5" in problem(one.post("resume"), 409, "conflict")["detail"]
    decide("b")
    assert one.go_on()["status"] == COMPLETED
    late = {"source_field": "a", "target_field": "custom", "status": "rejected"}
    problem(mine.put(path, json={"mappings": [late]}), 409, "conflict")


def test_mappings_that_cannot_be_are_told_field_by_field(mine: httpx.Client, project: str) -> None:
    one = Discovery(mine, project, b"hostname,host\nhost1,host2\n")
    one.rest()
    path = f"{one.import_path}/mappings"
    strange = {"source_field": "nowhere", "target_field": "name", "status": "approved"}
    problem(mine.put(path, json={"mappings": [strange]}), 422, "validation",
            "/mappings/0/source_field")  # fmt: skip
    both = [{"source_field": name, "target_field": "hostname", "status": "approved"}
            for name in ("hostname", "host")]  # fmt: skip
    problem(mine.put(path, json={"mappings": both}), 422, "validation", "/mappings/0/target_field")
    assert {m["status"] for m in one.mappings()} == {"suggested"}, "all or nothing"


def test_conflicts_are_resolved_as_asked(mine: httpx.Client, project: str) -> None:
    head = b"hostname,operating system,location\n"
    rows = b"".join(b"h%d,Linux,Berlin\n" % n for n in range(3))
    Discovery(mine, project, head + rows).to_the_end()
    other = Discovery(mine, project, head + rows.replace(b"Linux,Berlin", b"AIX,Bonn"))
    other.rest()
    other.approve()
    assert other.go_on()["current_phase"] == "conflicts"
    found = sorted(other.conflicts(), key=lambda c: c["incoming"]["hostname"])
    assert found[0]["differences"] == {
        "os": {"existing": "Linux", "incoming": "AIX"},
        "location": {"existing": "Berlin", "incoming": "Bonn"},
    }
    path = f"/projects/{project}/conflicts/resolve"
    actions = [{"action": "keep_existing"}, {"action": "replace"},
               {"action": "merge", "merge_fields": ["os"]}]  # fmt: skip
    body = [{"id": c["id"], **action} for c, action in zip(found, actions, strict=True)]
    ok(mine.post(path, json={"resolutions": body}))
    problem(mine.post(path, json={"resolutions": body}), 422, "validation", "/resolutions/0/id")
    assert other.go_on()["status"] == COMPLETED
    other.assert_conserved(merged=2, skipped=1)


def test_steps_that_the_page_does_not_have_are_refused(mine: httpx.Client, project: str) -> None:
    one = Discovery(mine, project, b"hostname\nhost1\n")
    one.rest()
    for action in ("pause", "retry", "archive"):
        problem(one.post(action), 409, "illegal_transition")
    problem(one.post("phases/inventory/run"), 409, "conflict")
    assert one.post("phases/nothing/run").status_code == 404
    ok(one.post("phases/validation/run"))
    assert one.rest()["current_phase"] == "mapping"
    ok(one.post("cancel"))
    for action in ("pause", "resume", "retry", "cancel"):
        problem(one.post(action), 409, "illegal_transition")
    problem(mine.delete(one.path), 428, "precondition_required")
    etag = mine.get(one.path).headers["etag"]
    assert mine.delete(one.path, headers={"If-Match": etag}).status_code == 204
    assert one.flow()["status"] == "archived"
    assert mine.delete(
        one.path, params={"purge": "true"}, headers={"If-Match": "*"}
    ).status_code == 204  # fmt: skip
    assert mine.get(one.path).status_code == mine.get(one.import_path).status_code == 404


def test_two_tenants_with_the_same_hosts_never_meet(
    mine: httpx.Client, theirs: httpx.Client
) -> None:
    both = at_once(
        [
            lambda: Discovery(mine, make_project(mine)["id"], HOSTS),
            lambda: Discovery(theirs, make_project(theirs)["id"], HOSTS),
        ]
    )
    for one in both:
        one.to_the_end()
        one.assert_conserved(asset=2, merged=1, rejected=1, skipped=1)
    one, other = both
    assert theirs.get(one.path).status_code == 404
    assert theirs.get(f"{one.import_path}/mappings").status_code == 404
    assert mine.get(other.path).status_code == 404


def test_a_flow_waits_for_the_inventory_of_another_one(
    mine: httpx.Client, project: str, module_database: Database
) -> None:
    one = Discovery(mine, project, HOSTS)
    one.rest()
    one.approve()
    jobs = (
        "SELECT last_error, attempts FROM ops.jobs WHERE args ->> 'flow_id' = %s ORDER BY id DESC"
    )
    flow = one.made["master_flow_id"]
    with psycopg.connect(module_database.owner_dsn) as other:
        other.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended("
            "           concat('discovery ', p.tenant_id, ' ', p.id), 0))"
            "  FROM workspace.projects AS p WHERE p.id = %s", [project],
        )  # fmt: skip
        ok(one.post("resume"))
        wait_until(lambda: (module_database.psql(jobs, flow)[0][0] or "").startswith("Another"))
        ok(one.post("pause"))
        assert one.flow()["status"] == "paused", "it does not hold its flow while it waits"
        ok(one.post("resume"))
    assert one.rest()["status"] == COMPLETED
    assert max(attempts for _, attempts in module_database.psql(jobs, flow)) == 1
