"""A server that is told to stop answers everything that it has accepted, and then ends well."""

from __future__ import annotations

import contextlib
import signal
import socket
import time
from typing import Any

import httpx
import pytest

from tests.conftest import Served
from tests.promises.helpers import ANY_VERSION, NDJSON, make_project, ok, problem
from tests.promises.test_faults import (
    Load,
    in_background,
    locked_row,
    locked_table,
    some_paths,
    statuses,
    waiting,
)
from tests.support.cluster import Database
from tests.support.server import Server
from tests.support.wait import wait_until

MARGIN = 5.0  # seconds for a busy machine to end a process, on top of a bound


def stopped(server: Server, seconds: float) -> int:
    """The exit code of a server that ends within so many seconds."""
    began = time.monotonic()
    code = server.process.wait(seconds + MARGIN + 5)
    assert time.monotonic() - began < seconds + MARGIN
    return code


def tell(server: Server, number: int = signal.SIGTERM) -> float:
    """Send a signal; when."""
    server.process.send_signal(number)
    return time.monotonic()


def slow_write(
    server: Server, database: Database, client: httpx.Client, project: str
) -> tuple[Any, list[Any]]:
    """A write that waits for the lock that the caller holds, begun in the background."""
    path = f"/projects/{project}"
    begun = in_background(lambda: client.put(path, json={"name": "kept"}, headers=ANY_VERSION))
    wait_until(lambda: waiting(database) == 1)
    return begun


@pytest.mark.parametrize("keep_alive", [True, False], ids=["keep-alive", "new connections"])
def test_no_request_is_lost_when_a_loaded_server_is_stopped(
    served: Served, module_database: Database, keep_alive: bool
) -> None:
    server = served(module_database, drain_seconds=1, log_level="warning")
    key = server.key()
    paths = some_paths(server.client(key))
    with Load(server, key, paths, clients=8, keep_alive=keep_alive, pause=0.001) as load:
        load.await_more(200)
        told = tell(server)
        while time.monotonic() < told + 0.5:
            draining = httpx.get(f"{server.url}/ready", timeout=5)  # the listener is still open
            problem(draining, 503, "draining")
            assert draining.json()["component"] == "draining"
            assert draining.headers["connection"] == "close"
            assert int(draining.headers["retry-after"]) >= 1
            time.sleep(0.1)
        assert stopped(server, 2) == 0
    assert not load.wrong
    lost = [seen for seen in load.seen if seen.status == 0]
    assert not lost, lost[:3]
    assert statuses(load.seen).keys() <= {200, -1}
    refused = min(seen.at for seen in load.seen if seen.status == -1)
    assert refused > told + 0.9, "it stopped listening before its time"
    assert statuses(load.since(told))[200] > 50
    assert module_database.connections() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_a_slow_write_gets_its_answer(
    served: Served, module_database: Database, number: int
) -> None:
    server = served(module_database)
    client = server.client(server.key())
    made = make_project(client)
    idle = server.client(server.key())
    ok(idle.get("/projects"))
    with (
        socket.create_connection(("127.0.0.1", server.port)),  # says nothing, so it stops nobody
        locked_row(module_database, made["id"]),
    ):
        writer, results = slow_write(server, module_database, client, made["id"])
        tell(server, number)
        wait_until(lambda: _refuses(server))
        time.sleep(0.3)
        assert server.process.poll() is None
        assert not results
    writer.join(10)
    assert ok(results[0])["name"] == "kept"
    assert results[0].headers["connection"] == "close"
    assert stopped(server, 1) == 0
    assert module_database.connections() == 0
    assert "Traceback" not in server.log()


def _refuses(server: Server) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", server.port), 1):
        return False
    return True


def test_a_stream_that_has_begun_comes_to_its_end(
    served: Served, module_database: Database
) -> None:
    server = served(module_database)
    client = server.client(server.key("streams"))
    many = [
        {"name": "n", "language": "en", "metadata": {"filling": "x" * 3500}} for _ in range(500)
    ]
    for _ in range(8):
        ok(client.post("/projects/bulk", json=many), 201)
    lines = 0
    with client.stream("GET", "/projects", headers=NDJSON) as answer:
        chunks = answer.iter_bytes(1 << 16)
        lines += next(chunks).count(b"\n")
        tell(server)
        wait_until(lambda: _refuses(server))
        lines += sum(chunk.count(b"\n") for chunk in chunks)
    assert lines == 4000
    assert stopped(server, 1) == 0


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_a_second_signal_ends_the_drain(
    served: Served, module_database: Database, second: int
) -> None:
    server = served(module_database, drain_seconds=60)
    tell(server)
    wait_until(lambda: httpx.get(f"{server.url}/ready", timeout=5).status_code == 503)
    tell(server, second)
    assert stopped(server, 0) == 0


def test_a_second_ctrl_c_waits_for_nobody(served: Served, module_database: Database) -> None:
    server = served(module_database)
    client = server.client(server.key())
    made = make_project(client)
    with locked_row(module_database, made["id"]):
        writer, _ = slow_write(server, module_database, client, made["id"])
        tell(server, signal.SIGINT)
        wait_until(lambda: _refuses(server))
        tell(server, signal.SIGINT)
        stopped(server, 0)
    writer.join(10)


def test_what_does_not_end_in_time_is_told_so_and_the_server_ends(
    served: Served, module_database: Database
) -> None:
    """Even then the answer is a problem, and the write leaves nothing."""
    server = served(module_database, shutdown_seconds=1)
    client = server.client(server.key())
    made = make_project(client)
    with locked_row(module_database, made["id"]):
        writer, results = slow_write(server, module_database, client, made["id"])
        tell(server)
        writer.join(10)
        assert results, "the client got no answer at all"
        problem(results[0], 503, "draining")
        assert int(results[0].headers["retry-after"]) >= 1
        stopped(server, 3)
    name = module_database.psql("SELECT name FROM workspace.projects WHERE id = %s", made["id"])
    assert name == [(made["name"],)]


def test_reads_that_do_not_end_are_bounded_as_well(
    served: Served, module_database: Database
) -> None:
    server = served(module_database, shutdown_seconds=1)
    client = server.client(server.key())
    path = f"/projects/{make_project(client)['id']}"
    with locked_table(module_database):
        reader, results = in_background(lambda: client.get(path))
        wait_until(lambda: waiting(module_database) == 1)
        tell(server)
        reader.join(10)
        problem(results[0], 503, "draining")
        stopped(server, 3)


def test_a_server_without_work_ends_at_once(served: Served, module_database: Database) -> None:
    server = served(module_database)
    tell(server)
    assert stopped(server, 0) == 0
    assert module_database.connections() == 0
    server.restart()  # on the same port, at once
    assert httpx.get(f"{server.url}/health", timeout=5).status_code == 200
