"""The commands as an operator types them: what stdout holds, what the exit code says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import httpx
import pytest

from tests.conftest import Served
from tests.support.cluster import Database
from tests.support.server import Server
from tests.support.wait import wait_until


@pytest.fixture(scope="module")
def server(module_database: Database, module_served: Served) -> Iterator[Server]:
    yield module_served(module_database)


def listed(server: Server, *command: str) -> list[dict[str, object]]:
    done = server.quarry(*command, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def test_a_key_stands_alone_on_stdout_and_works(server: Server) -> None:
    assert server.quarry("tenant", "add", "north").returncode == 0
    made = server.quarry("key", "add", "--tenant", "north", "--scope", "projects:read",
                         "--name", "ci")  # fmt: skip
    assert re.fullmatch(r"qk_[0-9a-f]{32}_[A-Za-z0-9_-]{43}\n", made.stdout)
    assert made.stderr == ""
    key = made.stdout.strip()
    client = server.client(key)
    assert client.get("/projects").status_code == 200
    assert client.post("/projects", json={"name": "x", "language": "en"}).status_code == 403
    (row,) = listed(server, "key", "list", "--tenant", "north")
    assert (row["name"], row["scopes"], row["revoked_at"]) == ("ci", ["projects:read"], None)
    assert key.split("_", 2)[2] not in json.dumps(row)


def test_a_revoked_key_is_refused_at_once(server: Server) -> None:
    key = server.key("south")
    client = server.client(key)
    assert client.get("/projects").status_code == 200
    assert server.quarry("key", "revoke", key).returncode == 0
    wait_until(lambda: client.get("/projects").status_code == 401, 2)
    again = server.quarry("key", "revoke", key)
    assert again.returncode == 1 and "already" in again.stderr


def test_a_disabled_tenant_is_refused_and_let_in_again(server: Server) -> None:
    client = server.client(server.key("east"))
    assert client.get("/projects").status_code == 200
    assert server.quarry("tenant", "remove", "east", "--yes").returncode == 0
    wait_until(lambda: client.get("/projects").status_code == 401, 2)
    assert server.quarry("tenant", "enable", "east").returncode == 0
    wait_until(lambda: client.get("/projects").status_code == 200, 2)


@pytest.mark.parametrize(
    ("command", "code", "says"),
    [
        (("tenant", "add", "Not A Slug"), 1, "no tenant name"),
        (("key", "add", "--tenant", "nobody", "--scope", "*"), 1, "no tenant"),
        (("key", "add", "--tenant", "north", "--scope", "all"), 1, "scope"),
        (("key", "add", "--tenant", "north", "--scope", "*", "--user", "a@b.cd"), 1, "no user"),
        (("key", "add", "--tenant", "north", "--scope", "*", "--expires", "soon"), 2, "30d"),
        (("key", "revoke", "nonsense"), 2, "key list"),
        (("tenant", "remove", "nobody", "--yes"), 1, "no active tenant"),
    ],
)
def test_what_cannot_be_done_is_told(
    server: Server, command: tuple[str, ...], code: int, says: str
) -> None:
    server.quarry("tenant", "add", "north")
    done = server.quarry(*command)
    assert (done.returncode, done.stdout) == (code, "")
    assert says in done.stderr and "Traceback" not in done.stderr


def test_config_shows_every_setting_and_no_secret(server: Server) -> None:
    rows = {row["name"]: row for row in listed(server, "config")}
    assert rows["QUARRY_PORT"]["value"] == str(server.port)
    assert rows["QUARRY_PORT"]["origin"] == "environment"
    assert rows["QUARRY_DATABASE_URL"]["value"] == "********"


def test_check_finds_what_is_wrong(server: Server, database: Database, served: Served) -> None:
    assert {row["state"] for row in listed(server, "check")} == {"ok"}
    database.psql("ALTER TABLE workspace.projects RENAME COLUMN current_step TO step")
    other = served(database, ready=False)
    done = other.quarry("check", "--json")
    states = {row["component"]: row for row in json.loads(done.stdout)}
    assert done.returncode == 1
    assert states["database"]["state"] == "ok"
    assert states["contract"]["state"] == "failed"
    assert "projects/get.sql" in states["contract"]["detail"]


def test_serve_refuses_queries_that_do_not_fit_the_schema(
    database: Database, served: Served
) -> None:
    database.psql("ALTER TABLE workspace.projects RENAME COLUMN current_step TO step")
    server = served(database, ready=False)
    assert server.process.wait(20) == 3
    assert re.search(r"projects/get\.sql:\d+:\d+", server.log())


def test_serve_refuses_another_schema_and_names_the_command(
    empty_database: Database, served: Served
) -> None:
    server = served(empty_database, ready=False)
    assert server.process.wait(20) != 0
    assert "quarry migrate apply" in server.log()


def test_serve_refuses_a_role_that_isolation_does_not_hold(
    database: Database, served: Served
) -> None:
    server = served(database, ready=False, database_url=database.owner_dsn)
    assert server.process.wait(20) != 0
    assert "row-level security" in server.log()


def test_openapi_is_what_is_served(server: Server) -> None:
    printed = server.quarry("openapi")
    assert json.loads(printed.stdout) == httpx.get(f"{server.url}/openapi.json").json()


def test_a_port_that_is_taken_is_told(server: Server, database: Database, served: Served) -> None:
    other = served(database, ready=False, port=server.port)
    assert other.process.wait(20) == 2
    assert "cannot listen" in other.log()


def test_jobs_are_listed_retried_and_cancelled(server: Server, module_database: Database) -> None:
    """Of a kind that no worker knows, so that nobody takes them meanwhile."""
    server.key("jobs")
    made = module_database.psql(
        "INSERT INTO ops.jobs (tenant_id, kind, state, attempts, finished_at, last_error)"
        " SELECT t.id, 'strange', v.state, 5, v.ended, 'it is strange'"
        "   FROM core.tenants AS t, (VALUES ('dead', now()), ('queued', NULL)) AS v (state, ended)"
        "  WHERE t.name = 'jobs' RETURNING id"
    )
    dead, waiting = (str(job) for (job,) in made)
    assert {row["id"] for row in listed(server, "jobs", "list", "--tenant", "jobs")} == {
        dead, waiting,
    }  # fmt: skip
    (row,) = listed(server, "jobs", "list", "--state", "dead", "--kind", "strange")
    assert (row["id"], row["tenant"], row["last_error"]) == (dead, "jobs", "it is strange")
    assert server.quarry("jobs", "retry", dead).returncode == 0
    assert listed(server, "jobs", "list", "--state", "dead") == []
    (row,) = (r for r in listed(server, "jobs", "list") if r["id"] == dead)
    assert (row["state"], row["attempts"]) == ("queued", 0)
    assert server.quarry("jobs", "cancel", dead).returncode == 0
    again = server.quarry("jobs", "cancel", dead)
    assert again.returncode == 1 and "no such job" in again.stderr
    assert server.quarry("jobs", "retry", dead).returncode == 0
    assert server.quarry("jobs", "cancel", "nonsense").returncode == 2
    table = server.quarry("jobs", "list").stdout
    assert "strange" in table and "queued" in table


def test_the_queue_is_seen_in_metrics_and_health(
    module_served: Served, module_database: Database
) -> None:
    server = module_served(module_database, leader_seconds=0.2)
    off = module_served(module_database, jobs=0)
    server.key("figures")
    module_database.psql(
        "INSERT INTO ops.jobs (tenant_id, kind, run_at) SELECT id, 'odd', now() - interval '1 hour'"
        "  FROM core.tenants WHERE name = 'figures'"
    )

    def metrics(of: Server) -> str:
        return httpx.get(f"{of.admin_url}/metrics", timeout=10).text

    assert 'quarry_jobs{kind="odd",state="queued"} 1' in metrics(server)
    assert re.search(r'quarry_jobs_waiting_seconds{kind="odd"} 3[67]\d\d\.', metrics(server))
    wait_until(lambda: "quarry_leader " in metrics(server))
    assert 'quarry_jobs{kind="odd",state="queued"} 1' in metrics(off)
    assert "quarry_leader" not in metrics(off)
    for each, on in ((server, True), (off, False)):
        told = httpx.get(f"{each.admin_url}/health/detailed", timeout=10).json()["jobs"]
        assert told["queued"] >= 1 and told["switched_on"] is on
        assert told["oldest_waits_seconds"] > 3000
        assert "jobs" not in httpx.get(f"{each.url}/health/detailed", timeout=10).json()
