"""A request ends when its time is up or nobody waits for it, and so does what it began."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.conftest import Served
from tests.promises.helpers import (
    ANY_VERSION,
    NDJSON,
    make_document,
    make_project,
    ok,
    problem,
    unique,
)
from tests.promises.test_faults import (
    in_background,
    locked_row,
    locked_table,
    running,
    waiting,
)
from tests.support.cluster import Database
from tests.support.server import Server
from tests.support.wait import wait_until

pytestmark = pytest.mark.xdist_group("deadlines")

MARGIN = 1.0  # seconds for a busy machine, on top of a deadline


@pytest.fixture
def project(mine: httpx.Client) -> str:
    """A project's id."""
    return str(make_project(mine)["id"])


@contextlib.contextmanager
def within(seconds: float) -> Iterator[None]:
    """What is done in the block takes no longer."""
    began = time.monotonic()
    yield
    assert time.monotonic() - began < seconds + MARGIN


def nothing_runs(database: Database) -> None:
    """What a request began has ended, within a moment."""
    wait_until(lambda: running(database) == 0, 5, "the service's statements have ended")


class Hanging:
    """A request over a socket of its own, of whom one may hang up."""

    def __init__(
        self, server: Server, client: httpx.Client, method: str, path: str, body: Any = None,
        **headers: str,
    ) -> None:  # fmt: skip
        self._link = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        data = None if body is None else json.dumps(body, separators=(",", ":"))  # as httpx does
        common = {"Authorization": client.headers["authorization"]}
        if data is not None:
            common["Content-Type"] = "application/json"
        self._link.request(method, path, data, common | headers)

    def hang_up(self) -> None:
        """As a client that was closed."""
        self._link.close()

    def reset(self) -> None:
        """As a client whose machine was turned off and on."""
        linger = (1).to_bytes(4, "little") + bytes(4)
        self._link.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._link.close()


# the caller's deadline


@pytest.mark.parametrize("path", ["/projects/{}", "/projects", "/projects?include_total=true"])
def test_a_read_that_takes_too_long_is_504_and_nothing_is_left_running(
    mine: httpx.Client, module_database: Database, project: str, path: str
) -> None:
    with locked_table(module_database):
        with within(0.3):
            late = mine.get(path.format(project), headers={"X-Request-Timeout-Ms": "300"})
        problem(late, 504, "deadline_exceeded")
        nothing_runs(module_database)
    ok(mine.get(path.format(project)))


def test_a_write_that_takes_too_long_is_504_and_leaves_nothing(
    mine: httpx.Client, module_database: Database, project: str
) -> None:
    before = ok(mine.get(f"/projects/{project}"))
    headers = ANY_VERSION | {"X-Request-Timeout-Ms": "300"}
    with locked_row(module_database, project):
        with within(0.3):
            late = mine.put(f"/projects/{project}", json={"name": "late"}, headers=headers)
        problem(late, 504, "deadline_exceeded")
        nothing_runs(module_database)
    assert ok(mine.get(f"/projects/{project}")) == before


def test_an_idempotent_write_that_takes_too_long_can_be_sent_again(
    mine: httpx.Client, module_database: Database
) -> None:
    body = {"name": unique("again"), "language": "en"}
    key = {"Idempotency-Key": unique("key")}
    with locked_table(module_database), within(0.3):
        late = mine.post("/projects", json=body, headers=key | {"X-Request-Timeout-Ms": "300"})
    problem(late, 504, "deadline_exceeded")
    nothing_runs(module_database)
    first = mine.post("/projects", json=body, headers=key)
    ok(first, 201)
    assert "idempotency-replayed" not in first.headers
    count = "SELECT count(*) FROM workspace.projects WHERE name = %s"
    assert module_database.psql(count, body["name"]) == [(1,)]


def test_looking_up_the_key_is_part_of_the_time(
    server: Server, module_database: Database, project: str
) -> None:
    client = server.client(server.key("acme", name=unique("fresh")))
    with locked_table(module_database, "core.api_keys"), within(0.3):
        late = client.get(f"/projects/{project}", headers={"X-Request-Timeout-Ms": "300"})
    problem(late, 504, "deadline_exceeded")
    nothing_runs(module_database)
    ok(client.get(f"/projects/{project}"))


def test_waiting_for_the_body_is_part_of_the_time(server: Server, mine: httpx.Client) -> None:
    """A slow-loris sends one byte at a time."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as link, within(0.5):
        link.sendall(
            b"POST /projects HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: 1000\r\nX-Request-Timeout-Ms: 500\r\n"
            b"Authorization: " + mine.headers["authorization"].encode() + b"\r\n\r\n{"
        )
        link.settimeout(0.05)
        answer = b""
        while not answer:
            with contextlib.suppress(TimeoutError):
                answer = link.recv(65536)
            with contextlib.suppress(OSError):
                link.sendall(b" ")
    assert answer.startswith(b"HTTP/1.1 504 ")
    assert b"application/problem+json" in answer


@pytest.mark.parametrize(
    "value",
    [
        "0",
        "00",
        "-1",
        "+5",
        "1.5",
        "1e3",
        "abc",
        "",
        "9" * 10,
        "0x10",
        "1 2",
        "\N{SUPERSCRIPT TWO}",
    ],
)
def test_a_deadline_that_is_no_number_of_milliseconds_is_400(
    mine: httpx.Client, value: str
) -> None:
    refused = mine.get("/projects", headers=[(b"X-Request-Timeout-Ms", value.encode())])
    problem(refused, 400, "bad_header")


def test_without_a_wish_the_settings_bound_the_time(
    served: Served, module_database: Database
) -> None:
    server = served(module_database, request_timeout_ms=200, max_request_timeout_ms=400)
    client = server.client(server.key())
    path = f"/projects/{make_project(client)['id']}"
    with locked_table(module_database):
        with within(0.2):
            problem(client.get(path), 504, "deadline_exceeded")
        with within(0.4):  # more than the most is the most
            late = client.get(path, headers={"X-Request-Timeout-Ms": "60000"})
        problem(late, 504, "deadline_exceeded")
        nothing_runs(module_database)


def test_short_deadlines_of_one_caller_are_no_harm_to_another(
    served: Served, module_database: Database
) -> None:
    """Neither do they break the circuit nor do they use up the pool."""
    server = served(module_database, pool_init_size=1, pool_min_size=1)
    client = server.client(server.key())
    hurried = server.client(server.key())
    path = f"/projects/{make_project(client)['id']}"
    for _ in range(50):
        late = hurried.get(path, headers={"X-Request-Timeout-Ms": "1"})
        assert late.status_code in (200, 503, 504)
        ok(client.get(path))


# a client that hangs up


@pytest.mark.parametrize("way", ["hang_up", "reset"])
def test_a_client_that_hangs_up_cancels_its_slow_read(
    server: Server, mine: httpx.Client, module_database: Database, project: str, way: str
) -> None:
    with locked_table(module_database):
        request = Hanging(server, mine, "GET", f"/projects/{project}")
        wait_until(lambda: waiting(module_database) == 1)
        getattr(request, way)()
        nothing_runs(module_database)  # while the lock is still held
    ok(mine.get(f"/projects/{project}"))
    wait_until(lambda: '"status":499' in server.log())
    assert "Exception in ASGI" not in server.log()


def test_many_clients_that_hang_up_leave_a_pool_that_works(
    served: Served, module_database: Database
) -> None:
    server = served(module_database, pool_max_size=4)
    client = server.client(server.key())
    path = f"/projects/{make_project(client)['id']}"
    with locked_table(module_database):
        requests = [Hanging(server, client, "GET", path) for _ in range(12)]
        wait_until(lambda: waiting(module_database) == 4)
        for request in requests:
            request.hang_up()
        nothing_runs(module_database)
        assert client.get("/ready").status_code == 200
    for _ in range(20):
        ok(client.get(path))


def test_a_write_of_a_client_that_hung_up_runs_to_its_end(
    server: Server, mine: httpx.Client, module_database: Database, project: str
) -> None:
    with locked_row(module_database, project):
        request = Hanging(
            server, mine, "PUT", f"/projects/{project}", {"name": "to the end"}, **ANY_VERSION
        )
        wait_until(lambda: waiting(module_database) == 1)
        request.hang_up()
        time.sleep(0.5)  # long enough for a read to have been cancelled
        assert waiting(module_database) == 1
    wait_until(lambda: ok(mine.get(f"/projects/{project}"))["name"] == "to the end")


def test_a_create_of_a_client_that_hung_up_is_answered_on_its_next_try(
    server: Server, mine: httpx.Client, module_database: Database
) -> None:
    body = {"name": unique("once"), "language": "en"}
    key = {"Idempotency-Key": unique("key")}
    with locked_table(module_database):
        request = Hanging(server, mine, "POST", "/projects", body, **key)
        wait_until(lambda: waiting(module_database) == 1)
        request.hang_up()
        time.sleep(0.3)
    again = mine.post("/projects", json=body, headers=key)
    ok(again, 201)
    assert again.headers["idempotency-replayed"] == "true"
    count = "SELECT count(*) FROM workspace.projects WHERE name = %s"
    assert module_database.psql(count, body["name"]) == [(1,)]


# streams


@pytest.fixture(scope="module")
def stocked(server: Server, mine: httpx.Client) -> str:
    """A tenant's list that is larger than any buffer on its way: some 40 MB."""
    many = [
        {"name": "n" * 200, "language": "en", "metadata": {"filling": "x" * 3500}}
        for _ in range(500)
    ]
    for _ in range(20):
        ok(mine.post("/projects/bulk", json=many), 201)
    return "/projects"


def test_a_client_that_leaves_a_stream_ends_its_transaction(
    server: Server, mine: httpx.Client, module_database: Database, stocked: str
) -> None:
    with mine.stream("GET", stocked, headers=NDJSON) as answer:
        assert next(answer.iter_raw())
        wait_until(lambda: running(module_database) == 1)
    nothing_runs(module_database)
    assert "Exception in ASGI" not in server.log()


def test_a_client_that_reads_too_slowly_is_cut_off_at_the_deadline(
    served: Served, mine: httpx.Client, module_database: Database, stocked: str
) -> None:
    """Else some that read nothing at all would hold the connections of all streams for ever."""
    server = served(module_database, pool_max_size=4)
    slow = NDJSON | {"X-Request-Timeout-Ms": "500"}
    requests = [Hanging(server, mine, "GET", stocked, **slow) for _ in range(2)]
    wait_until(lambda: running(module_database) >= 1)
    with within(1.0):
        wait_until(lambda: running(module_database) == 0)
    client = server.client(mine.headers["authorization"].split()[1])
    limited = stocked + "?status=archived"
    assert client.get(limited, headers=NDJSON).status_code == 200
    for request in requests:
        request.hang_up()


def test_reading_along_is_enough_for_a_long_stream(mine: httpx.Client, stocked: str) -> None:
    lines = 0
    with mine.stream("GET", stocked, headers=NDJSON) as answer:
        for chunk in answer.iter_bytes(1 << 20):
            lines += chunk.count(b"\n")
    assert lines >= 10_000


def test_a_document_search_is_cancelled_as_well(
    server: Server, mine: httpx.Client, module_database: Database, project: str
) -> None:
    make_document(mine, project)
    path = f"/projects/{project}/documents/search?q=words"
    with locked_table(module_database, "workspace.document_versions"):
        request = Hanging(server, mine, "GET", path)
        wait_until(lambda: waiting(module_database) == 1)
        request.hang_up()
        nothing_runs(module_database)
    thread, results = in_background(lambda: mine.get(path))
    thread.join(10)
    ok(results[0])
