"""Streams of events: every change, in order, once, to everybody who may see it, whatever breaks."""

from __future__ import annotations

import re
import signal
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import Served
from tests.promises.helpers import (
    ANY_VERSION,
    Json,
    Tenant,
    calls,
    make_execution,
    make_project,
    make_user,
    ok,
    problem,
    unique,
)  # fmt: skip
from tests.promises.sse import Listener
from tests.support.cluster import Database, socket_path
from tests.support.proxy import Proxy
from tests.support.server import Server
from tests.support.wait import wait_until

pytestmark = pytest.mark.xdist_group("events")

KEEPALIVE = 0.5  # seconds, of the servers here
LISTENERS = 100


class Run:
    """An execution of a server, and what is done with it."""

    def __init__(self, server: Server, tenant: str = "acme", *steps: str) -> None:
        self.server = server
        self.tenant = tenant
        self.key = server.key(tenant)
        self.client = server.client(self.key)
        self.project: str = make_project(self.client)["id"]
        self.id: str = make_execution(self.client, self.project, *steps)["id"]
        self.path = f"/projects/{self.project}/agents/executions/{self.id}"
        self.events = f"{self.path}/events"

    def put(self, **fields: Any) -> Json:
        changed: Json = ok(self.client.put(self.path, json=fields))
        return changed

    def report(self, first: int, last: int) -> None:
        """Progress from first to last."""
        for progress in range(first, last + 1):
            self.put(progress=progress)

    def listen(self, last: int | None = None, **options: Any) -> Listener:
        server = options.pop("server", self.server)
        return Listener(server, options.pop("key", self.key), self.events, last, **options)


def past_the_service(database: Database, execution: str, **fields: Any) -> None:
    """A change by somebody else, while the service may not reach the database."""
    columns = ", ".join(f"{name} = %s" for name in fields)
    database.psql(
        f"UPDATE workspace.agent_executions SET {columns} WHERE id = %s",
        *fields.values(), execution,
    )  # fmt: skip


def burst(database: Database, execution: str, first: int, last: int) -> None:
    """Events of 2 KB each, as if the execution had changed so often."""
    database.psql(
        "INSERT INTO core.topic_events"
        " (tenant_id, topic, topic_id, sequence, event, data, is_final)"
        " SELECT e.tenant_id, 'execution', e.id, n, 'change',"
        "        jsonb_build_object('status', 'running', 'text', repeat('0123漢字', 200)), false"
        "   FROM workspace.agent_executions AS e, generate_series(%s::int, %s::int) AS n"
        "  WHERE e.id = %s",
        first, last, execution,
    )  # fmt: skip


def gauge(server: Server, name: str) -> int:
    text = httpx.get(f"{server.admin_url}/metrics", timeout=10).text
    return int(float(text.split(f"\n{name} ")[1].split()[0]))


@pytest.fixture(scope="module")
def server(module_served: Served, module_database: Database) -> Server:
    """With few connections, so that a stream that held one would be noticed."""
    return module_served(
        module_database, pool_max_size=3, pool_wait_ms=10_000, event_keepalive_seconds=KEEPALIVE
    )


@pytest.fixture
def run(server: Server) -> Run:
    return Run(server)


@pytest.fixture
def link(module_database: Database) -> Iterator[Proxy]:
    with Proxy(socket_path(module_database.cluster)) as found:
        yield found


# ---------------------------------------------------------------- what is told


def test_every_change_is_told_as_it_commits_and_the_stream_ends(run: Run) -> None:
    listener = run.listen(**{"Accept-Encoding": "gzip"})
    listener.await_id(1)
    changes = [run.put(status="running")]
    listener.await_id(2)
    changes += [run.put(progress=40), run.put(status="needs_input"), run.put(status="running")]
    listener.await_id(5)
    assert not listener.ended
    changes.append(run.put(status="failed", error_message="no luck", output={"a": 1}))
    listener.await_end()
    assert listener.ids == [1, 2, 3, 4, 5, 6]
    names = [event.event for event in listener.events]
    assert names == ["status", "status", "change", "status", "status", "status"]
    for event, change in zip(listener.events[1:], changes, strict=True):
        assert event.id == event.data["version"] == change["version"]
        assert event.data.items() <= change.items()
        assert not event.data.keys() & {"input", "output"}
    assert listener.status == 200
    assert listener.headers["content-type"] == "text/event-stream"
    assert listener.headers["cache-control"] == "no-store"
    assert listener.headers["x-accel-buffering"] == "no"
    assert "content-encoding" not in listener.headers and "content-length" not in listener.headers
    assert listener.retry == "2000"


def test_who_comes_late_is_told_all_and_who_comes_back_the_rest(run: Run) -> None:
    run.put(status="running")
    run.report(1, 3)
    for last, expected in ((None, [1, 2, 3, 4, 5]), (0, [1, 2, 3, 4, 5]), (2, [3, 4, 5])):
        listener = run.listen(last)
        listener.await_id(5)
        assert listener.ids == expected
        listener.hang_up()
    current, future = run.listen(5), run.listen(10**17)  # as after a restored backup
    wait_until(lambda: current.status == future.status == 200)
    run.put(status="completed")
    for listener in (current, future):
        listener.await_end()
        assert listener.ids == [6]
    ended = run.listen()
    ended.await_end()
    assert ended.ids == [1, 2, 3, 4, 5, 6]
    for last in (6, 7):
        answer = run.client.get(run.events, headers={"Last-Event-ID": str(last)})
        assert (answer.status_code, answer.content) == (204, b"")


@pytest.mark.parametrize("value", ["x", "-1", "1.5", "9" * 19, "1 2", "٣"])
def test_a_number_that_is_none_is_refused(run: Run, value: str) -> None:
    answer = run.client.get(run.events, headers={"Last-Event-ID": value.encode()})
    problem(answer, 400, "bad_header")


def test_a_head_request_ends_at_once(run: Run) -> None:
    answer = run.client.head(run.events)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/event-stream"


def test_a_long_history_comes_whole(run: Run, module_database: Database) -> None:
    """More than is read at once, and more than is kept in memory."""
    run.put(status="running")
    burst(module_database, run.id, 3, 1000)
    listener = run.listen()
    listener.await_id(1000)
    burst(module_database, run.id, 1001, 2000)
    listener.await_id(2000)
    listener.hang_up()
    assert listener.ids == list(range(1, 2001))


# ---------------------------------------------------------------- many


def test_a_hundred_listeners_see_all_in_order_and_cost_one_read_each_change(
    server: Server, run: Run
) -> None:
    """With three connections in the pool."""
    listeners = [run.listen() for _ in range(LISTENERS)]
    for listener in listeners:
        listener.await_id(1)
    before = calls(server)["events.after"]
    run.put(status="running")
    run.report(1, 60)
    run.put(status="completed")
    for listener in listeners:
        listener.await_end(30)
        assert listener.ids == list(range(1, 64))
    # a read for each change, and one for each look that NOTIFY did not ask for
    assert calls(server)["events.after"] - before < LISTENERS
    assert gauge(server, "quarry_pool_connections") <= 3
    wait_until(lambda: gauge(server, "quarry_event_streams") == 0)
    assert gauge(server, "quarry_event_topics") == 0


def test_what_one_process_does_the_other_tells(
    server: Server, run: Run, module_served: Served, module_database: Database
) -> None:
    other = module_served(module_database, event_keepalive_seconds=60)
    listeners = [run.listen(server=each) for each in (server, other)]
    run.put(status="running")
    listeners[1].await_id(2)
    path = f"{run.path}"
    ok(other.client(run.key).put(path, json={"status": "completed"}))
    for listener in listeners:
        listener.await_end()
        assert listener.statuses == ["pending", "running", "completed"]


def test_more_streams_than_allowed_are_refused(served: Served, module_database: Database) -> None:
    run = Run(served(module_database, event_streams=2), unique("many"))
    listeners = [run.listen() for _ in range(2)]
    for listener in listeners:
        listener.await_id(1)
    answer = run.client.get(run.events)
    problem(answer, 503, "pool_exhausted")
    assert int(answer.headers["retry-after"]) >= 1
    listeners[0].hang_up()
    wait_until(lambda: gauge(run.server, "quarry_event_streams") == 1)
    again = run.listen()
    run.put(status="cancelled")
    for listener in (listeners[1], again):
        listener.await_end()


# ---------------------------------------------------------------- what breaks


def test_all_links_to_the_database_severed_nothing_is_lost(
    link: Proxy, served: Served, module_database: Database
) -> None:
    dsn = link.dsn(module_database.app_dsn)
    server = served(
        module_database, database_url=dsn, database_direct_url=dsn,
        event_keepalive_seconds=KEEPALIVE,
    )  # fmt: skip
    run = Run(server, unique("severed"), "running")
    listeners = [run.listen() for _ in range(LISTENERS)]
    for listener in listeners:
        listener.await_id(2)
    for round_ in range(2):
        link.sever()
        for progress in range(1, 11):
            past_the_service(module_database, run.id, progress=20 * round_ + progress)
        link.restore()
        for listener in listeners:
            listener.await_id(12 + 10 * round_, 30)
    past_the_service(module_database, run.id, status="completed")
    for listener in listeners:
        listener.await_end(30)
        assert listener.ids == list(range(1, 24))


@pytest.mark.parametrize("keepalive", [KEEPALIVE, 60], ids=["reads now and then", "is told of it"])
def test_a_process_that_was_deaf_finds_what_it_has_missed(
    link: Proxy, served: Served, module_database: Database, keepalive: float
) -> None:
    """Only the link on which the process listens is cut."""
    dsn = link.dsn(module_database.app_dsn)
    server = served(module_database, database_direct_url=dsn, event_keepalive_seconds=keepalive)
    run = Run(server, unique("deaf"), "running")
    listener = run.listen()
    listener.await_id(2)
    link.sever()
    wait_until(lambda: "listen.lost" in server.log())
    run.report(1, 5)
    if keepalive == KEEPALIVE:
        listener.await_id(7)
    link.restore()
    listener.await_id(7)
    run.put(status="completed")
    listener.await_end()
    assert listener.ids == list(range(1, 9))


def test_a_listener_that_is_behind_outlives_an_outage(
    link: Proxy, served: Served, module_database: Database
) -> None:
    """What it lacks is in the table alone, which cannot be read when its turn comes."""
    server = served(
        module_database, database_url=link.dsn(module_database.app_dsn), event_keepalive_seconds=60
    )
    run = Run(server, unique("behind"), "running")
    burst(module_database, run.id, 3, 5000)
    with slow_reader(server, run) as slow:
        wait_until(lambda: gauge(server, "quarry_event_streams") == 1)
        begun = read_some(slow, 1000)
        link.sever()
        with ThreadPoolExecutor(1) as pool:
            rest = pool.submit(read_some, slow, 9_000_000)
            wait_until(lambda: server.log().count("pool.connect_failed") >= 2)
            assert not rest.done()
            link.restore()
            ids = ids_in(begun + rest.result(30))
        assert ids == list(range(1, len(ids) + 1)) and len(ids) > 4000


def test_after_an_outage_rights_are_asked_before_anything_is_told(
    link: Proxy, served: Served, module_database: Database
) -> None:
    dsn = link.dsn(module_database.app_dsn)
    server = served(
        module_database, database_url=dsn, database_direct_url=dsn,
        event_keepalive_seconds=KEEPALIVE,
    )  # fmt: skip
    run = Run(server, unique("outage"), "running")
    revoked = server.key(run.tenant, name="revoked")
    listeners = [run.listen(key=revoked), run.listen()]
    for listener in listeners:
        listener.await_id(2)
    link.sever()
    for listener in listeners:  # its rights were due, and could not be asked
        told = len(listener.comments)
        wait_until(lambda listener=listener, told=told: len(listener.comments) > told + 2)
    assert server.quarry("key", "revoke", revoked).returncode == 0
    past_the_service(module_database, run.id, status="completed")
    link.restore()
    for listener in listeners:
        listener.await_end(30)
    assert [listener.ids for listener in listeners] == [[1, 2], [1, 2, 3]]


def test_after_a_restart_a_listener_goes_on_where_it_was(
    served: Served, module_database: Database
) -> None:
    run = Run(served(module_database), unique("restart"), "running")
    listener = run.listen()
    listener.await_id(2)
    assert run.server.stop(signal.SIGKILL) != 0
    wait_until(lambda: listener.broken or listener.ended)
    past_the_service(module_database, run.id, progress=50)
    run.server.restart()
    again = run.listen(listener.ids[-1])
    run.put(status="completed")
    again.await_end()
    assert listener.ids + again.ids == [1, 2, 3, 4]


# ---------------------------------------------------------------- ends


def test_a_server_that_stops_ends_its_streams_at_once(
    served: Served, module_database: Database
) -> None:
    """Long before the time that requests in flight would have."""
    server = served(module_database, drain_seconds=1, shutdown_seconds=60)
    run = Run(server, unique("drained"), "running")
    listeners = [run.listen() for _ in range(20)]
    for listener in listeners:
        listener.await_id(2)
    server.process.send_signal(signal.SIGTERM)
    for listener in listeners:
        listener.await_end(5)
        assert "Last-Event-ID" in listener.comments[-1]
    late = run.listen()  # the listener is still open: what there is, and then the end
    late.await_end(5)
    assert late.ids == [1, 2]
    assert server.process.wait(20) == 0


def test_a_listener_that_does_not_read_holds_up_neither_others_nor_the_end(
    served: Served, module_database: Database
) -> None:
    server = served(module_database, event_keepalive_seconds=60, shutdown_seconds=60)
    run = Run(server, unique("slow"), "running")
    memory = resident(server)
    with slow_reader(server, run) as slow:
        good = run.listen()
        for first in range(3, 5003, 500):
            burst(module_database, run.id, first, first + 499)
            good.await_id(first + 499, 30)
        assert good.ids == list(range(1, 5003))
        assert resident(server) - memory < 20e6
        received = read_some(slow, 6_000_000)  # it reads on, from the table again
        ids = ids_in(received)
        assert ids == list(range(1, len(ids) + 1)) and len(ids) > 2000
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(20) == 0


def test_a_listener_that_takes_nothing_is_cut_off(run: Run, module_database: Database) -> None:
    run.put(status="running")
    with slow_reader(run.server, run):
        wait_until(lambda: gauge(run.server, "quarry_event_streams") == 1)
        burst(module_database, run.id, 3, 5000)
        wait_until(lambda: gauge(run.server, "quarry_event_streams") == 0, 20)
    wait_until(lambda: "stream.broken_off" in run.server.log())


def slow_reader(server: Server, run: Run) -> socket.socket:
    """A connection on which the stream was asked for, and of which nobody reads."""
    link = socket.socket()
    link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    link.connect(("127.0.0.1", server.port))
    link.sendall(
        f"GET {run.events} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {run.key}\r\n\r\n".encode()
    )
    link.settimeout(20)
    return link


def read_some(link: socket.socket, least: int) -> bytes:
    found = bytearray()
    while len(found) < least:
        found += link.recv(65536)
    return bytes(found)


def ids_in(received: bytes) -> list[int]:
    return [int(number) for number in re.findall(rb"^id: (\d+)$", received, re.MULTILINE)]


def resident(server: Server) -> int:
    """Bytes of memory of a server's process."""
    pages = Path(f"/proc/{server.pid}/statm").read_text().split()[1]
    return int(pages) * 4096


def test_a_stream_lives_on_and_says_so_whatever_its_request_asked(run: Run) -> None:
    listener = run.listen(**{"X-Request-Timeout-Ms": "200"})
    wait_until(lambda: len(listener.comments) >= 4)
    assert set(listener.comments) == {"keepalive"}
    run.put(status="cancelled")
    listener.await_end()
    assert listener.ids == [1, 2]


def test_hanging_up_ends_it(server: Server, run: Run) -> None:
    listener = run.listen()
    listener.await_id(1)
    wait_until(lambda: gauge(server, "quarry_event_streams") == 1)
    listener.hang_up()
    wait_until(lambda: gauge(server, "quarry_event_streams") == 0)


# ---------------------------------------------------------------- who may see it


def test_a_key_that_ends_ends_its_streams_and_no_others(server: Server, run: Run) -> None:
    revoked = server.key(name=unique("revoked"))
    expires = datetime.now(UTC) + timedelta(seconds=2)
    expired = server.key(name=unique("expired"), expires_at=expires)
    listeners = [run.listen(key=key) for key in (revoked, expired, run.key)]
    for listener in listeners:
        listener.await_id(1)
    assert server.quarry("key", "revoke", revoked).returncode == 0
    for listener in listeners[:2]:
        listener.await_end()
    assert datetime.now(UTC) >= expires
    assert not listeners[2].ended
    run.put(status="cancelled")
    listeners[2].await_end()
    assert [listener.ids for listener in listeners] == [[1], [1], [1, 2]]


def test_who_is_no_member_any_more_sees_no_more(server: Server, tenant: Tenant) -> None:
    user = make_user(tenant.client)["id"]
    run = Run(server, tenant.name)
    member = f"/projects/{run.project}/members/{user}"
    bound = server.key(tenant.name, user=user)
    problem(server.client(bound).get(run.events), 404, "not_found")
    ok(tenant.client.put(member, json={"role": "viewer"}))
    listener, other = run.listen(key=bound), run.listen()
    listener.await_id(1)
    assert tenant.client.delete(member).status_code == 204
    listener.await_end()
    assert not other.ended


def test_the_streams_of_a_deleted_project_end(run: Run) -> None:
    listener = run.listen()
    listener.await_id(1)
    deleted = run.client.delete(f"/projects/{run.project}", headers=ANY_VERSION)
    assert deleted.status_code == 204
    listener.await_end()
    problem(run.client.get(run.events), 404, "not_found")


def test_nobody_is_told_of_another_tenants_execution(server: Server, run: Run) -> None:
    stranger = Run(server, "globex")
    listener = stranger.listen()
    listener.await_id(1)
    problem(stranger.client.get(run.events), 404, "not_found")
    run.put(status="cancelled")
    stranger.put(status="running")
    stranger.put(status="failed")
    listener.await_end()
    assert {event.data["id"] for event in listener.events} == {stranger.id}
